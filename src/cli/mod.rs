//! The program: one file a subcommand.

mod api_health;
mod certcontroller;
mod controller;
mod crds;
#[cfg(feature = "sandbox")]
mod demo;
mod docs;
mod doctor;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod get;
mod go_bool;
mod inputs;
mod leader_election;
mod logging;
mod metrics;
mod migrate;
mod person;
mod plan;
mod preview;
mod providers;
mod redaction;
mod refresh;
mod render;
#[cfg(feature = "sandbox")]
mod sandbox;
mod webhook;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory as _, Subcommand};

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
    /// Validate objects before they are stored, and convert them between versions
    Webhook(Box<webhook::WebhookArguments>),
    /// Print the Secrets that ExternalSecrets produce, without a cluster
    Render(Box<render::RenderArguments>),
    /// Show what the controller would create, change or delete in a cluster, and change nothing
    Plan(Box<plan::PlanArguments>),
    /// Show how ExternalSecrets and stores do, when each is next, and what is wrong
    #[command(alias = "status")]
    Get(Box<get::GetArguments>),
    /// Say why an ExternalSecret is not as it should be, and what to do
    #[command(alias = "explain")]
    Why(Box<why::WhyArguments>),
    /// Check that all works that a sync needs
    Doctor(Box<doctor::DoctorArguments>),
    /// Ask the controller to read values again, and say how it went
    Refresh(Box<refresh::RefreshArguments>),
    /// One-time steps after a migration from the External Secrets Operator
    Migrate(migrate::MigrateArguments),
    /// Issue certificates for the webhook, and make the API server trust them
    #[command(name = "certcontroller")]
    CertController(Box<certcontroller::CertControllerArguments>),
    /// Print the CRDs as YAML
    Crds(crds::CrdsArguments),
    /// Print a page of the documentation that is generated from the program
    Docs(docs::DocsArguments),
    /// Emulate Entra ID and Key Vault, and run a cluster to try them on
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArguments),
}

/// Runs the program with its own command line.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match <Cli as clap::Parser>::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // As with ESO's program, and unlike clap's own code, which `plan` uses to say that something would change.
            let code = if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            let _ = error.print();
            return code;
        }
    };
    crate::runtime::panics::install();
    crate::runtime::open_files::raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result: Result<ExitCode, Box<dyn std::error::Error>> = runtime.block_on(async {
        match cli.command {
            None => controller::execute(cli.controller).await?,
            Some(Command::Webhook(arguments)) => webhook::execute(*arguments).await?,
            Some(Command::Render(arguments)) => return Ok(render::execute(&arguments).await?),
            Some(Command::Plan(arguments)) => return Ok(plan::execute(&arguments).await?),
            Some(Command::Get(arguments)) => return Ok(get::execute(&arguments).await?),
            Some(Command::Why(arguments)) => return Ok(why::execute(&arguments).await?),
            Some(Command::Doctor(arguments)) => return Ok(doctor::execute(&arguments).await?),
            Some(Command::Refresh(arguments)) => return Ok(refresh::execute(&arguments).await?),
            Some(Command::Migrate(arguments)) => return Ok(migrate::execute(&arguments).await?),
            Some(Command::CertController(arguments)) => certcontroller::execute(*arguments).await?,
            Some(Command::Crds(arguments)) => crds::execute(&arguments)?,
            Some(Command::Docs(arguments)) => docs::execute(&arguments, Cli::command())?,
            #[cfg(feature = "sandbox")]
            Some(Command::Sandbox(arguments)) => sandbox::execute(arguments).await?,
        }
        Ok(ExitCode::SUCCESS)
    });
    #[cfg(feature = "otlp")]
    crate::runtime::traces::finish();
    // What still runs in the background must not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => fail(error.as_ref()),
    }
}

#[allow(clippy::print_stderr, reason = "the program's last message to the person who started it")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("external-secrets: {error}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn no_two_flags_of_a_process_are_the_same() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_process_starts_without_a_flag_and_with_those_of_the_chart() {
        for line in [
            "",
            "--enable-leader-election=true --leader-election-lease-duration=30s --metrics-secure=true --metrics-auth=true --metrics-cert-dir=/etc/tls --enable-http2=true",
            "webhook",
            "webhook --port=10250 --dns-name=webhook.operators.svc --cert-dir=/tmp/certs --check-interval=5m --metrics-addr=:8080 --healthz-addr=:8081 --loglevel=info --zap-time-encoding=epoch --lookahead-interval=720h",
            "certcontroller",
            "certcontroller --crd-requeue-interval=5m --service-name=webhook --service-namespace=operators --secret-name=webhook --secret-namespace=operators --crd-names=externalsecrets.external-secrets.io --crd-names=secretstores.external-secrets.io --enable-partial-cache=true --enable-leader-election=true",
        ] {
            let words = std::iter::once("external-secrets").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }
}
