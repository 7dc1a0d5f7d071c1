//! The program. Each subcommand is a file or a folder.

#[cfg(feature = "processes")]
mod api_health;
#[cfg(feature = "processes")]
mod certcontroller;
mod command;
mod completion;
#[cfg(feature = "processes")]
mod controller;
mod crds;
#[cfg(feature = "sandbox")]
mod demo;
#[cfg(feature = "processes")]
mod docs;
mod doctor;
mod exit_code;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod get;
mod go_bool;
mod harmless;
mod inputs;
#[cfg(feature = "processes")]
mod leader_election;
mod lint;
#[cfg(feature = "processes")]
mod logging;
#[cfg(feature = "processes")]
mod metrics;
mod migrate;
mod nearest;
mod person;
mod plan;
mod plugin;
mod preview;
mod providers;
mod redaction;
mod refresh;
mod render;
#[cfg(feature = "sandbox")]
mod sandbox;
mod source;
#[cfg(feature = "processes")]
mod webhook;
mod why;

use std::process::ExitCode;

#[cfg(feature = "processes")]
use clap::CommandFactory as _;

use command::Command;

/// Brings Azure Key Vault secrets into Kubernetes Secrets. Without a subcommand, runs the controller.
#[cfg(feature = "processes")]
#[derive(clap::Parser, Debug)]
#[command(name = "external-secrets", version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
// The last of repeated flags wins, as with Go's flags: a chart's `extraArgs` may repeat flags that the chart sets.
#[command(args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    controller: controller::ControllerArguments,
}

/// Runs the program with its own command line.
#[must_use]
pub fn run() -> ExitCode {
    let asked = match asked() {
        Ok(Some(asked)) => asked,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            // As in ESO's program, and unlike clap's own exit code, which `plan` uses to report that something would
            // change.
            let code = if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            let _ = error.print();
            return code;
        }
    };
    crate::runtime::panics::install();
    #[cfg(feature = "processes")]
    crate::runtime::open_files::raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result: Result<ExitCode, Box<dyn std::error::Error>> = runtime.block_on(async {
        match asked {
            #[cfg(feature = "processes")]
            Asked::Controller(arguments) => {
                controller::execute(*arguments).await?;
                Ok(ExitCode::SUCCESS)
            }
            Asked::Subcommand(command) => subcommand(command).await,
        }
    });
    #[cfg(feature = "otlp")]
    crate::runtime::traces::finish();
    // Background work must not keep the process alive.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => fail(error.as_ref()),
    }
}

/// What the command line requests.
enum Asked {
    #[cfg(feature = "processes")]
    Controller(Box<controller::ControllerArguments>),
    Subcommand(Command),
}

/// What the command line requests; `None` if the help was printed, because a program that is never a controller was
/// called without a subcommand.
fn asked() -> Result<Option<Asked>, clap::Error> {
    #[cfg(feature = "processes")]
    if !plugin::is_called() {
        let cli = <Cli as clap::Parser>::try_parse()?;
        return Ok(Some(match cli.command {
            Some(command) => Asked::Subcommand(command),
            None => Asked::Controller(Box::new(cli.controller)),
        }));
    }
    Ok(plugin::parse()?.map(Asked::Subcommand))
}

/// The whole command line.
fn command_line() -> clap::Command {
    #[cfg(feature = "processes")]
    return Cli::command();
    #[cfg(not(feature = "processes"))]
    return plugin::command();
}

async fn subcommand(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        #[cfg(feature = "processes")]
        Command::Webhook(arguments) => webhook::execute(*arguments).await?,
        Command::Render(arguments) => return Ok(render::execute(&arguments).await?),
        Command::Plan(arguments) => return Ok(plan::execute(&arguments).await?),
        Command::Get(arguments) => return Ok(get::execute(&arguments).await?),
        Command::Why(arguments) => return Ok(why::execute(&arguments).await?),
        Command::Doctor(arguments) => return Ok(doctor::execute(&arguments).await?),
        Command::Refresh(arguments) => return Ok(refresh::execute(&arguments).await?),
        Command::Lint(arguments) => return Ok(lint::execute(&arguments)?),
        Command::Migrate(arguments) => return Ok(migrate::execute(&arguments).await?),
        Command::Completion(arguments) => return Ok(completion::execute(&arguments, command_line())?),
        Command::Complete(arguments) => return Ok(completion::complete(&arguments, plugin::command()).await?),
        #[cfg(feature = "processes")]
        Command::CertController(arguments) => certcontroller::execute(*arguments).await?,
        Command::Crds(arguments) => crds::execute(&arguments)?,
        #[cfg(feature = "processes")]
        Command::Docs(arguments) => docs::execute(&arguments, command_line())?,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => sandbox::execute(arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stderr, reason = "the program's last message to the person who started it")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("external-secrets: {}", harmless::lines(&error.to_string()));
    ExitCode::FAILURE
}

#[cfg(all(test, feature = "processes"))]
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
