//! Runs commands as a person does.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use test_stage::scene::Scene;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

/// How long a line of a running command is waited for.
const DEADLINE: Duration = Duration::from_mins(1);

/// How a run ended, and what it printed.
pub struct Run {
    pub code: i32,
    pub text: String,
    pub errors: String,
}

/// A run in the namespace of a scene.
pub struct Command<'a> {
    scene: &'a Scene,
    kubeconfig: PathBuf,
}

impl<'a> Command<'a> {
    /// As the cluster's administrator.
    pub fn of(scene: &'a Scene) -> Self {
        Self { scene, kubeconfig: scene.kubeconfig().to_owned() }
    }

    /// With another kubeconfig, such as a proxy's.
    pub fn through(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), ..self }
    }

    /// Runs it.
    pub async fn run(self, arguments: &[&str]) -> Run {
        let namespace = ["--namespace", self.scene.name()];
        self.run_as_is(&[arguments, &namespace].concat()).await
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_external-secrets"));
        command
            .args(arguments)
            .envs(self.scene.world.sandbox.environment())
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null());
        command
    }

    /// Starts one that keeps running.
    pub fn start(self, arguments: &[&str]) -> Running {
        let mut command: tokio::process::Command =
            self.command(&[arguments, &["--namespace", self.scene.name()]].concat()).into();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let text = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { _child: child, text, errors }
    }

    /// Runs it without a namespace of its own.
    pub async fn run_as_is(self, arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), text: text(output.stdout), errors: text(output.stderr) }
    }
}

/// A command that keeps running, until this is dropped.
pub struct Running {
    _child: Child,
    text: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

impl Running {
    /// The next line with these words.
    pub async fn until(&mut self, words: &[&str]) -> String {
        let found = async {
            loop {
                let line = self.text.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ended without a line with {words:?}"));
                if words.iter().all(|word| line.contains(word)) {
                    return line;
                }
            }
        };
        timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("no line with {words:?}"))
    }

    /// The next line of its errors.
    pub async fn error(&mut self) -> String {
        timeout(DEADLINE, self.errors.next_line()).await.expect("no error in time").unwrap().unwrap_or_default()
    }
}

impl Run {
    /// Panics if the output contains one of the values, as it is or as part of something in base64.
    #[track_caller]
    pub fn tells_none_of(&self, values: &[&str]) {
        for value in values {
            for shown in encodings(value) {
                for printed in [&self.text, &self.errors] {
                    assert!(!printed.contains(&shown), "{value} is told, as {shown}:\n{printed}");
                }
            }
        }
    }
}

/// A value, and what base64 makes of it behind any other bytes, without what those would change.
fn encodings(value: &str) -> Vec<String> {
    let behind = |before: usize| {
        let bytes = [&vec![0; before], value.as_bytes()].concat();
        let whole = &bytes[..bytes.len() / 3 * 3];
        base64::engine::general_purpose::STANDARD.encode(whole)[[0, 2, 3][before]..].to_owned()
    };
    std::iter::once(value.to_owned()).chain((0..3).map(behind)).collect()
}

#[test]
fn a_value_is_found_in_base64_wherever_it_stands() {
    for before in ["", "u", "us", "user:"] {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}hunter2-of-the-shop!"));
        assert!(encodings("hunter2-of-the-shop").iter().any(|shown| text.contains(shown)), "{before}");
    }
}
