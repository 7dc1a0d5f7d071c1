//! Child processes that end with the process that wanted them, however that one ends.
//!
//! A [`Supervisor`] is a process of its own (`external-secrets sandbox supervise`) that runs programs on
//! behalf of the process that started it. It reads what to do from its standard input, a pipe whose other
//! end only its parent holds. When the parent ends, be it by a panic or by SIGKILL, the pipe closes: the
//! supervisor then kills all it runs, removes its folder and ends.
//!
//! It is the leader of a process group of its own, so Ctrl-C reaches the parent alone, which then ends its
//! programs in the order it likes.

mod process;
mod protocol;
mod server;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use process::{Process, Program};
pub use protocol::{Exit, Signal};
pub use server::serve;

use process::State;
use protocol::{Report, Request};

/// The arguments with which the program becomes a supervisor.
pub const ARGUMENTS: [&str; 2] = ["sandbox", "supervise"];

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// The supervisor itself could not be started.
    #[error("{} cannot be started as a supervisor: {source}", program.display())]
    Spawn {
        /// The program, which has the subcommand `sandbox supervise`.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The supervisor did not say that it is ready.
    #[error("{} does not work as a supervisor: is it built with the feature `sandbox`?", program.display())]
    Silent {
        /// The program.
        program: PathBuf,
    },
    /// The supervisor has ended.
    #[error("the supervisor has ended, and all that it ran with it")]
    Gone,
    /// A program could not be started.
    #[error("{} cannot be started: {reason}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// A process that runs programs and ends them when this value is dropped or this process ends.
///
/// Bound to no asynchronous runtime: tests that have one each may share it.
#[derive(Debug)]
pub struct Supervisor {
    connection: Arc<Connection>,
    directory: PathBuf,
    child: Mutex<Child>,
}

/// The way to the supervisor's process.
#[derive(Debug)]
struct Connection {
    input: Mutex<Option<ChildStdin>>,
    states: Mutex<HashMap<u64, watch::Sender<State>>>,
    next: AtomicU64,
}

impl Supervisor {
    /// Starts a supervisor. `program` is this crate's program, built with the feature `sandbox`.
    ///
    /// # Errors
    /// [`SupervisorError::Spawn`] or [`SupervisorError::Silent`] where that program does not do it.
    pub fn start(program: &Path) -> Result<Self, SupervisorError> {
        let spawn = |source| SupervisorError::Spawn { program: program.to_owned(), source };
        let mut child = Command::new(program)
            .args(ARGUMENTS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(spawn)?;
        let silent = || SupervisorError::Silent { program: program.to_owned() };
        let input = child.stdin.take().ok_or_else(silent)?;
        let mut output = BufReader::new(child.stdout.take().ok_or_else(silent)?);
        let Some(Report::Ready { directory }) = read_report(&mut output) else {
            drop(input);
            child.wait().map_err(spawn)?;
            return Err(silent());
        };
        let connection =
            Arc::new(Connection { input: Mutex::new(Some(input)), states: Mutex::default(), next: AtomicU64::new(0) });
        let listener = Arc::clone(&connection);
        std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || listener.listen(output))
            .map_err(spawn)?;
        Ok(Self { connection, directory, child: Mutex::new(child) })
    }

    /// A folder, readable by this user alone, that is removed when the supervisor ends.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs a program until its [`Process`] is dropped.
    ///
    /// # Errors
    /// [`SupervisorError::Start`] where the system refuses, [`SupervisorError::Gone`] where the supervisor has ended.
    pub async fn run(&self, program: Program) -> Result<Process, SupervisorError> {
        let id = self.connection.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = watch::channel(State::Starting);
        lock(&self.connection.states).insert(id, sender);
        self.connection.send(&Request::Start { id, program: program.clone() })?;
        Process::started(Arc::clone(&self.connection), id, program, receiver).await
    }

    /// Leaves the files called `*.log` in [`Self::directory`] when the supervisor ends, to look into what
    /// went wrong.
    pub fn keep_logs(&self) {
        // A supervisor that is gone has removed the folder already.
        let _gone = self.connection.send(&Request::KeepLogs);
    }

    /// Ends all programs and the supervisor, and returns when that is done.
    pub fn stop(&self) {
        drop(lock(&self.connection.input).take());
        let _already_gone = lock(&self.child).wait();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Connection {
    fn send(&self, request: &Request) -> Result<(), SupervisorError> {
        let mut line = serde_json::to_vec(request).map_err(|_| SupervisorError::Gone)?;
        line.push(b'\n');
        let mut input = lock(&self.input);
        let input = input.as_mut().ok_or(SupervisorError::Gone)?;
        input.write_all(&line).map_err(|_| SupervisorError::Gone)
    }

    /// Takes reports until the supervisor ends.
    fn listen(&self, mut output: impl BufRead) {
        while let Some(report) = read_report(&mut output) {
            match report {
                Report::Ready { .. } => {}
                Report::Started { id, pid } => self.change(id, |_| State::Running { pid }),
                Report::Failed { id, reason } => self.change(id, |_| State::Failed { reason }),
                Report::Exited { id, exit } => self.change(id, |state| match *state {
                    State::Running { pid } => State::Exited { pid, exit },
                    _ => state.clone(),
                }),
            }
        }
        // Whoever waits for a process learns from the closed channel that there will be no more news.
        lock(&self.states).clear();
    }

    fn change(&self, id: u64, next: impl FnOnce(&State) -> State) {
        // It is not there when its process was dropped.
        if let Some(sender) = lock(&self.states).get(&id) {
            sender.send_modify(|state| *state = next(state));
        }
    }
}

fn read_report(output: &mut impl BufRead) -> Option<Report> {
    let mut line = String::new();
    output.read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// The data are whole between any two statements, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
