//! `external-secrets lint`: finds what is wrong with manifests before they are applied.

mod check;
mod fields;
mod fix;
mod kinds;
mod object;
mod patches;
mod print;
mod problem;
mod specs;
#[cfg(test)]
mod tests;
mod together;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::exit_code;
use super::inputs::files::{self, File};
use super::person::printing;
use problem::{Id, Level, Problem};

/// Why files cannot be checked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error("{path} cannot be written: {source}", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the output cannot be printed: {0}")]
    Output(#[from] std::io::Error),
    #[error("the output cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
}

/// Checks manifests without a cluster.
///
/// Documents of the groups external-secrets.io and generators.external-secrets.io are checked. Exits with 1 if there is an error (with
/// --fail-on warning also if there is a warning), and with 2 if --fix --dry-run would change something.
#[derive(Args, Debug)]
pub(super) struct LintArguments {
    /// Files or folders with manifests; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Fix what can be fixed: old versions, fields in the wrong case, numbers that must be text. Nothing else in a file changes. Manifests from
    /// standard input are printed
    #[arg(long)]
    fix: bool,
    /// Only report what --fix would change
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
    /// Level from which problems make the command exit with 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "LEVEL")]
    fail_on: FailOn,
    /// Skip a check; can be repeated. In a file, a comment above a document does the same for that document:
    /// `# external-secrets-lint: disable=ID`
    #[arg(long, value_enum, value_name = "ID")]
    disable: Vec<Id>,
}

/// How problems are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
    /// As SARIF 2.1.0, for code scanning
    Sarif,
    /// As commands of a GitHub workflow
    Github,
}

/// What makes the command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Errors
    Error,
    /// Errors and warnings
    Warning,
}

impl FailOn {
    const fn level(self) -> Level {
        match self {
            Self::Error => Level::Error,
            Self::Warning => Level::Warning,
        }
    }
}

/// Prints what is wrong, and fixes what can be fixed, if asked to.
pub(super) fn execute(arguments: &LintArguments) -> Result<ExitCode, Error> {
    let mut files = files::read(&arguments.paths)?;
    let mut problems = check::check(&files, &arguments.disable);
    let mut fixed = 0;
    let mut would_change = false;
    if arguments.fix {
        let texts: Vec<_> = files.iter().enumerate().map(|(i, file)| fix::fixed(&file.text, i, &problems)).collect();
        let fixable = problems.iter().filter(|problem| !problem.edits.is_empty()).count();
        if arguments.dry_run {
            would_change = texts.iter().any(Option::is_some);
        } else {
            fixed = fixable;
            write(&mut files, texts)?;
            // What is left, where it now stands.
            problems = check::check(&files, &arguments.disable);
        }
    }
    arguments.print(&files, &problems, fixed)?;
    Ok(match problems.iter().map(|problem| problem.level).max() {
        Some(level) if level >= arguments.fail_on.level() && !(would_change && all_fixable(&problems, arguments)) => {
            ExitCode::FAILURE
        }
        _ if would_change => ExitCode::from(exit_code::CHANGES),
        _ => ExitCode::SUCCESS,
    })
}

/// What `--fix` makes of a text, if it changes it.
#[cfg(any(test, fuzzing))]
pub(super) fn fixed_text(text: &str) -> Option<String> {
    let file = File { path: Some("x.yaml".into()), text: text.to_owned(), named: files::Named::Itself };
    let problems = check::check(&[file], &[]);
    for problem in &problems {
        drop(problem.document());
    }
    fix::fixed(text, 0, &problems)
}

/// Whether `--fix` would fix everything that makes the command fail.
fn all_fixable(problems: &[Problem], arguments: &LintArguments) -> bool {
    problems.iter().all(|problem| problem.level < arguments.fail_on.level() || !problem.edits.is_empty())
}

/// Writes the files that have a new text.
fn write(files: &mut [File], texts: Vec<Option<String>>) -> Result<(), Error> {
    for (file, text) in files.iter_mut().zip(texts) {
        let Some(text) = text else { continue };
        if let Some(path) = &file.path {
            std::fs::write(path, &text).map_err(|source| Error::Write { path: path.clone(), source })?;
        }
        file.text = text;
    }
    Ok(())
}

impl LintArguments {
    fn print(&self, files: &[File], problems: &[Problem], fixed: usize) -> Result<(), Error> {
        let fixable = problems.iter().filter(|problem| !problem.edits.is_empty()).count();
        let said = match (self.fix, self.dry_run) {
            (true, true) => format!("; --fix would fix {fixable}"),
            (true, false) => format!("; {fixed} fixed"),
            (false, _) if fixable > 0 => format!("; {fixable} can be fixed by --fix"),
            (false, _) => String::new(),
        };
        let printed = match self.output {
            Format::Text => print::text(problems, &said),
            Format::Json => format!("{:#}\n", print::document(problems, fixed)),
            Format::Yaml => serde_saphyr::to_string(&print::document(problems, fixed))?,
            Format::Sarif => format!("{:#}\n", print::sarif(problems)),
            Format::Github => print::github(problems),
        };
        let mut out = std::io::stdout();
        let piped = files.iter().find(|file| file.path.is_none());
        match piped.filter(|_| self.fix && !self.dry_run) {
            // The answer is the text; what is said of it goes where it is in nobody's way.
            Some(file) => {
                out.write_all(file.text.as_bytes())?;
                printing::note(printed.trim_end());
            }
            None => out.write_all(printed.as_bytes())?,
        }
        Ok(out.flush()?)
    }
}
