//! Shows the story: each step as the command that a person would type, followed by its output.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use super::error::Error;
use super::story::{Chapter, Step};
use super::world::World;

/// Where the commands run: paths in them are relative to the source tree.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// How long a step may take until its output is as expected. Longer than the commands themselves wait.
const DEADLINE: Duration = Duration::from_secs(90);

/// How long to wait before running a command again whose output may still change.
const INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Stage<'a> {
    world: &'a World,
    first_version: Option<String>,
}

/// The output of a command, including errors, and whether it succeeded.
struct Outcome {
    output: String,
    success: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { world, first_version: None }
    }

    pub(super) async fn play(&mut self, story: impl Iterator<Item = &'static Chapter>) -> Result<(), Error> {
        for (index, chapter) in story.enumerate() {
            show(&format!("\n# {}. {}", index + 1, chapter.title))?;
            for step in chapter.steps {
                self.perform(step).await?;
            }
        }
        show("\n# That is all. What followed each $ came from a real kube-apiserver; the vault had checked the token.")
    }

    /// Shows how to continue by hand.
    pub(super) fn invite(&self) -> Result<(), Error> {
        let cluster = self.world.home();
        let folder = cluster.kubectl().parent().unwrap_or(Path::new("."));
        show(&format!(
            "\n# All stays up until Ctrl-C. In another terminal:\nexport KUBECONFIG={}\nexport PATH=\"{}:$PATH\"",
            cluster.kubeconfig().display(),
            folder.display()
        ))
    }

    async fn perform(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Run { command, shows } => self.run(command, shows, Expected::Success).await,
            Step::Refused { command, shows } => self.run(command, shows, Expected::Failure).await,
            Step::Until { command, shows } => self.run_until(command, shows).await,
            Step::Azure(change) => {
                show(&format!("# in Azure: {}", change.command()))?;
                let version = self.world.apply(*change)?;
                self.first_version = self.first_version.take().or(version);
                Ok(())
            }
            Step::StartController => {
                show(
                    "# with the rights that the Helm chart gives it, and Azure's addresses, which lead to the emulator",
                )?;
                self.world.home().start(self.world.sandbox()).await?;
                self.take_effect(&self.world.home().start_commands(self.world.sandbox())).await
            }
            Step::RestartController => {
                show("# the controller is restarted, or it would use its token for the rest of the hour")?;
                self.world.home().restart(self.world.sandbox()).await?;
                self.take_effect(&self.world.home().restart_commands()).await
            }
        }
    }

    /// Runs the commands that start the controller in Pods, or shows the one that started it as a process.
    async fn take_effect(&self, commands: &[String]) -> Result<(), Error> {
        for command in commands {
            if self.world.home().is_on_node() {
                self.run(command, &[], Expected::Success).await?;
            } else {
                show(&format!("$ {command}"))?;
            }
        }
        Ok(())
    }

    async fn run(&self, command: &str, shows: &[&str], expected: Expected) -> Result<(), Error> {
        let command = self.complete(command);
        show(&format!("$ {command}"))?;
        let outcome = self.execute(&command).await?;
        show_output(&outcome.output)?;
        self.world.home().check().await?;
        match outcome.problem(shows, expected) {
            None => Ok(()),
            Some(problem) => Err(self.failed(command, problem).await),
        }
    }

    async fn run_until(&self, command: &str, shows: &[&str]) -> Result<(), Error> {
        let command = self.complete(command);
        show(&format!("$ {command}"))?;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let outcome = self.execute(&command).await?;
            self.world.home().check().await?;
            let Some(problem) = outcome.problem(shows, Expected::Success) else {
                return show_output(&outcome.output);
            };
            if Instant::now() > deadline {
                show_output(&outcome.output)?;
                return Err(self.failed(command, problem).await);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn complete(&self, command: &str) -> String {
        command.replace("{first-version}", self.first_version.as_deref().unwrap_or_default())
    }

    /// Runs a command as a person's shell would, with errors and output combined.
    async fn execute(&self, command: &str) -> Result<Outcome, Error> {
        let cluster = self.world.home();
        let shell = Command::new("sh")
            .arg("-c")
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(FOLDER)
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("KUBECACHEDIR", cluster.folder().join("kubectl"))
            .env("PATH", path_with(cluster.kubectl())?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(DEADLINE, shell).await {
            Ok(output) => {
                let output = output?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                Ok(Outcome { output: text, success: output.status.success() })
            }
            Err(_) => Err(self.failed(command.to_owned(), format!("no end after {} s", DEADLINE.as_secs())).await),
        }
    }

    async fn failed(&self, command: String, problem: String) -> Error {
        let home = self.world.home();
        Error::Step { command, problem, log: home.log(), tail: home.log_tail().await }
    }
}

/// How a command should end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Success,
    Failure,
}

impl Outcome {
    /// What is wrong with the outcome.
    fn problem(&self, shows: &[&str], expected: Expected) -> Option<String> {
        match (self.success, expected) {
            (false, Expected::Success) => return Some("the command failed".to_owned()),
            (true, Expected::Failure) => return Some("the command did not fail".to_owned()),
            _ => {}
        }
        let missing = shows.iter().find(|text| !self.output.contains(**text))?;
        Some(format!("its output does not show {missing:?}"))
    }
}

/// The search path with kubectl's folder first.
fn path_with(kubectl: &Path) -> std::io::Result<std::ffi::OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let first = kubectl.parent().map(Path::to_owned);
    std::env::join_paths(first.into_iter().chain(std::env::split_paths(&inherited))).map_err(std::io::Error::other)
}

fn show(text: &str) -> Result<(), Error> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

/// Shows the output of a command, ending in a line break.
fn show_output(output: &str) -> Result<(), Error> {
    let output = output.trim_end();
    if output.is_empty() { Ok(()) } else { show(output) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(output: &str, success: bool) -> Outcome {
        Outcome { output: output.to_owned(), success }
    }

    #[test]
    fn a_command_holds_where_it_ends_as_expected_and_shows_all() {
        assert_eq!(outcome("a b c", true).problem(&["a", "c"], Expected::Success), None);
        assert_eq!(outcome("NotFound", false).problem(&["NotFound"], Expected::Failure), None);
    }

    #[test]
    fn what_does_not_hold_is_named() {
        let problem = |output, success, expected| outcome(output, success).problem(&["greeting"], expected).unwrap();
        assert_eq!(problem("greeting", false, Expected::Success), "the command failed");
        assert_eq!(problem("greeting", true, Expected::Failure), "the command did not fail");
        assert_eq!(problem("Hello", true, Expected::Success), "its output does not show \"greeting\"");
    }
}
