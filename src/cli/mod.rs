//! The program: one file a subcommand.

mod controller;
mod crds;
#[cfg(feature = "sandbox")]
mod demo;
mod leader_election;
mod logging;
mod metrics;
mod providers;
mod render;
#[cfg(feature = "sandbox")]
mod sandbox;
mod webhook;

use std::process::ExitCode;

use clap::Subcommand;

/// Brings Azure Key Vault secrets into Kubernetes Secrets. Without a subcommand it is the controller.
#[derive(clap::Parser, Debug)]
#[command(name = "external-secrets", version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
// As with Go's flags, of two the last counts: a chart's `extraArgs` may repeat what the chart gives by itself.
#[command(args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    controller: controller::ControllerArguments,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check objects before they are stored, and convert them between versions
    Webhook(Box<webhook::WebhookArguments>),
    /// Print the Secrets that ExternalSecrets give, without a cluster
    Render(Box<render::RenderArguments>),
    /// Print the CRDs as YAML
    Crds(crds::CrdsArguments),
    /// An emulator of Entra ID and Key Vault, and a cluster to try it on
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArguments),
}

/// Runs the program with its own command line.
#[must_use]
pub fn run() -> ExitCode {
    let cli = <Cli as clap::Parser>::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result: Result<(), Box<dyn std::error::Error>> = runtime.block_on(async {
        match cli.command {
            None => controller::execute(cli.controller).await.map_err(Into::into),
            Some(Command::Webhook(arguments)) => webhook::execute(*arguments).await.map_err(Into::into),
            Some(Command::Render(arguments)) => render::execute(&arguments).await.map_err(Into::into),
            Some(Command::Crds(arguments)) => crds::execute(&arguments).map_err(Into::into),
            #[cfg(feature = "sandbox")]
            Some(Command::Sandbox(arguments)) => sandbox::execute(arguments).await.map_err(Into::into),
        }
    });
    // What still runs in the background must not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref()),
    }
}

#[allow(clippy::print_stderr, reason = "the last words of the program to whoever started it")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("external-secrets: {error}");
    ExitCode::FAILURE
}

/// What Go's flag packages take for a boolean.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}
