//! `external-secrets completion`, and what kubectl asks for when somebody presses the tabulator behind `kubectl external-secrets`.

mod cluster;
mod words;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use words::{Answer, Names};

/// What is in the file `kubectl_complete-external_secrets`, which kubectl looks for in `PATH`.
const OF_KUBECTL: &str = "#!/bin/sh\nexec kubectl-external_secrets __complete \"$@\"\n";

/// Prints the script that completes commands, flags and their values in a shell.
#[derive(Args, Debug)]
pub(super) struct CompletionArguments {
    /// The shell; for kubectl, save the script as `kubectl_complete-external_secrets` in a folder of `PATH`
    #[arg(value_enum)]
    shell: For,
}

/// Whose completion it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// `PowerShell`
    #[value(name = "powershell")]
    PowerShell,
    /// kubectl, for its plugin
    Kubectl,
}

/// What has been typed.
#[derive(Args, Debug)]
pub(super) struct CompleteArguments {
    /// The words behind the program's name; the last is to be completed, and may be empty
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Prints the script.
pub(super) fn execute(arguments: &CompletionArguments, mut program: clap::Command) -> std::io::Result<ExitCode> {
    let mut script = Vec::new();
    let shell = match arguments.shell {
        For::Bash => Some(Shell::Bash),
        For::Zsh => Some(Shell::Zsh),
        For::Fish => Some(Shell::Fish),
        For::PowerShell => Some(Shell::PowerShell),
        For::Kubectl => None,
    };
    match shell {
        Some(shell) => generate(shell, &mut program, "external-secrets", &mut script),
        None => script.extend_from_slice(OF_KUBECTL.as_bytes()),
    }
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what may stand in the place of the last word: a line each, with what it is behind a tabulator, and then, as cobra does, a number that says
/// whether names of files may stand there, too. Says nothing of what goes wrong, since somebody is typing.
pub(super) async fn complete(arguments: &CompleteArguments, mut program: clap::Command) -> std::io::Result<ExitCode> {
    program.build();
    let Answer { mut candidates, names, files } = words::answer(&program, &arguments.words);
    if let Some(Names { of, begin, target }) = names {
        candidates.extend(
            cluster::names(of, &target).await.into_iter().map(|name| (format!("{begin}{name}"), String::new())),
        );
        let last = arguments.words.last().map(String::as_str).unwrap_or_default();
        candidates.retain(|(candidate, _)| candidate.starts_with(last));
    }
    let mut text = String::new();
    for (candidate, about) in candidates {
        text.push_str(&candidate);
        if !about.is_empty() {
            text.push('\t');
            text.push_str(&about);
        }
        text.push('\n');
    }
    text.push_str(if files { ":0\n" } else { ":4\n" });
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
