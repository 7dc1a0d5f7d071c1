//! A program that a supervisor runs, as the parent sees it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::protocol::{Exit, Request, Signal};
use super::{Connection, SupervisorError, lock};

/// How many bytes at the end of a log are read for its tail.
const TAIL_BYTES: usize = 64 * 1024;

/// A program to run, with its complete environment. Nothing is inherited, so that no variable of the shell affects a
/// test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) log: PathBuf,
}

impl Program {
    /// A program whose output is appended to `log`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: BTreeMap::new(), log: log.into() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The name of the program's file.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_else(|| OsStr::new("program")).to_string_lossy().into_owned()
    }
}

#[derive(Clone, Debug)]
pub(super) enum State {
    Starting,
    Running { pid: u32 },
    Failed { reason: String },
    Exited { pid: u32, exit: Exit },
}

/// A running program. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    connection: Arc<Connection>,
    id: u64,
    pid: u32,
    program: Program,
    state: watch::Receiver<State>,
}

impl Process {
    /// Waits for the supervisor's report that the program runs.
    pub(super) async fn started(
        connection: Arc<Connection>,
        id: u64,
        program: Program,
        mut state: watch::Receiver<State>,
    ) -> Result<Self, SupervisorError> {
        let news = match state.wait_for(|state| !matches!(state, State::Starting)).await {
            Ok(news) => news.clone(),
            Err(_) => State::Starting,
        };
        let pid = match news {
            State::Running { pid } | State::Exited { pid, .. } => pid,
            State::Failed { reason } => return Err(SupervisorError::Start { program: program.path, reason }),
            State::Starting => return Err(SupervisorError::Gone),
        };
        Ok(Self { connection, id, pid, program, state })
    }

    /// The process ID. After this process has ended, it may be another's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of the program's file.
    #[must_use]
    pub fn name(&self) -> String {
        self.program.name()
    }

    /// The file with the program's output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.program.log
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        match *self.state.borrow() {
            State::Exited { exit, .. } => Some(exit),
            _ => None,
        }
    }

    /// Waits for it to end. `None` means that the supervisor has ended, and this process with it.
    pub async fn exited(&self) -> Option<Exit> {
        let mut state = self.state.clone();
        let Ok(state) = state.wait_for(|state| matches!(state, State::Exited { .. })).await else { return None };
        match *state {
            State::Exited { exit, .. } => Some(exit),
            _ => None,
        }
    }

    /// Sends a signal. Does nothing if the process has ended.
    ///
    /// # Errors
    /// [`SupervisorError::Gone`], if the supervisor has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), SupervisorError> {
        self.connection.send(&Request::Signal { id: self.id, signal })
    }

    /// Ends it with SIGTERM, and with SIGKILL if it has not ended after `grace`.
    ///
    /// # Errors
    /// [`SupervisorError::Gone`], if the supervisor has ended.
    pub async fn stop(&self, grace: Duration) -> Result<Exit, SupervisorError> {
        self.signal(Signal::Terminate)?;
        match tokio::time::timeout(grace, self.exited()).await {
            Ok(exit) => exit.ok_or(SupervisorError::Gone),
            Err(_) => self.kill().await,
        }
    }

    /// Ends it with SIGKILL, and waits for that.
    ///
    /// # Errors
    /// [`SupervisorError::Gone`], if the supervisor has ended.
    pub async fn kill(&self) -> Result<Exit, SupervisorError> {
        self.signal(Signal::Kill)?;
        self.exited().await.ok_or(SupervisorError::Gone)
    }

    /// The last lines of its output.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let content = std::fs::read(&self.program.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&content[content.len().saturating_sub(TAIL_BYTES)..]).into_owned();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If the supervisor has ended, so has the process.
        let _gone = self.signal(Signal::Kill);
        lock(&self.connection.states).remove(&self.id);
    }
}
