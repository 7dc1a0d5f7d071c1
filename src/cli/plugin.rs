//! The program without the processes of a cluster: as a plugin of kubectl, which finds it in `PATH` under the name
//! `kubectl-external_secrets`, or built without them.

use std::path::Path;

use clap::CommandFactory as _;

use super::command::Command;

/// The prefix of a plugin's executable.
const PREFIX: &str = "kubectl-";

/// The subcommands that serve a cluster and are started inside it.
#[cfg(feature = "processes")]
const OF_THE_CLUSTER: [&str; 2] = ["webhook", "certcontroller"];
/// The subcommands for those who change the program.
#[cfg(feature = "processes")]
const OF_DEVELOPERS: [&str; 1] = ["docs"];

/// The command line, which has only subcommands. Without one, the program would run as a controller with the rights of
/// the person who called it.
#[derive(clap::Parser, Debug)]
#[command(name = "kubectl-external_secrets", bin_name = "kubectl external-secrets", version)]
#[command(about = "Commands for users and operators of External Secrets")]
struct Plugin {
    #[command(subcommand)]
    command: Option<Command>,
}

/// Whether the program was called by the name of a plugin.
pub(super) fn is_called() -> bool {
    let path = std::env::args_os().next();
    path.as_deref().and_then(|path| Path::new(path).file_name()).is_some_and(is_plugin)
}

fn is_plugin(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

/// The command line, as it is offered: without what serves a cluster.
pub(super) fn command() -> clap::Command {
    let line = Plugin::command();
    let line = if is_called() { line } else { line.name("external-secrets").bin_name("external-secrets") };
    without_processes(line)
}

#[cfg(feature = "processes")]
fn without_processes(line: clap::Command) -> clap::Command {
    let hidden = |line: clap::Command, name: &&str| line.mut_subcommand(name, |subcommand| subcommand.hide(true));
    OF_THE_CLUSTER.iter().chain(&OF_DEVELOPERS).fold(line, hidden)
}

#[cfg(not(feature = "processes"))]
fn without_processes(line: clap::Command) -> clap::Command {
    line
}

/// The requested subcommand; `None` if there was none and the help was printed.
///
/// # Errors
/// clap's errors, also for a subcommand that only runs inside a cluster.
pub(super) fn parse() -> Result<Option<Command>, clap::Error> {
    let mut line = command();
    let matches = line.try_get_matches_from_mut(std::env::args_os())?;
    let plugin = <Plugin as clap::FromArgMatches>::from_arg_matches(&matches)?;
    match plugin.command {
        None => {
            line.print_help()?;
            Ok(None)
        }
        #[cfg(feature = "processes")]
        Some(Command::Webhook(_) | Command::CertController(_)) => Err(line.error(
            clap::error::ErrorKind::InvalidSubcommand,
            "a kubectl plugin does not start the cluster's processes; run it as `external-secrets`",
        )),
        command => Ok(command),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_plugin_is_known_by_its_name() {
        assert!(is_plugin(OsStr::new("kubectl-external_secrets")));
        assert!(is_plugin(OsStr::new("kubectl-external_secrets.exe")));
        assert!(!is_plugin(OsStr::new("external-secrets")));
    }

    #[cfg(feature = "processes")]
    #[test]
    fn the_subcommands_that_are_hidden_are_there() {
        let line = Plugin::command();
        line.clone().debug_assert();
        for name in OF_THE_CLUSTER.into_iter().chain(OF_DEVELOPERS) {
            assert!(line.find_subcommand(name).is_some(), "{name}");
        }
    }
}
