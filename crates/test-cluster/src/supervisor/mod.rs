//! Child processes that end with the process that started them, however that ends.
//!
//! A [`Supervisor`] is a separate process (`external-secrets sandbox supervise`) that runs programs on behalf of its
//! parent. It reads its instructions from its standard input, a pipe whose other end only the parent holds. When the
//! parent ends, even by a panic or SIGKILL, the pipe closes. The supervisor then kills all its programs, removes its
//! folder and ends.
//!
//! It leads its own process group, so Ctrl-C only reaches the parent, which then ends its programs in the order it
//! chooses.

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
        /// The program, which must have the subcommand `sandbox supervise`.
        program: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The supervisor did not report that it is ready.
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
        /// The system's error.
        reason: String,
    },
}

/// A process that runs programs, and ends them when this value is dropped or this process ends.
///
/// Not bound to an asynchronous runtime: tests that have one each may share it.
#[derive(Debug)]
pub struct Supervisor {
    connection: Arc<Connection>,
    directory: PathBuf,
    child: Mutex<Child>,
}

/// The connection to the supervisor's process.
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
    /// [`SupervisorError::Spawn`] or [`SupervisorError::Silent`], if that program does not become one.
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

    /// A folder that only this user can read. It is removed when the supervisor ends.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs a program until its [`Process`] is dropped.
    ///
    /// # Errors
    /// [`SupervisorError::Start`], if the system refuses; [`SupervisorError::Gone`], if the supervisor has ended.
    pub async fn run(&self, program: Program) -> Result<Process, SupervisorError> {
        let id = self.connection.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = watch::channel(State::Starting);
        lock(&self.connection.states).insert(id, sender);
        self.connection.send(&Request::Start { id, program: program.clone() })?;
        Process::started(Arc::clone(&self.connection), id, program, receiver).await
    }

    /// Keeps the files `*.log` in [`Self::directory`] when the supervisor ends, for troubleshooting.
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

    /// Receives reports until the supervisor ends.
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
        // Those that wait for a process learn from the closed channel that there will be no more reports.
        lock(&self.states).clear();
    }

    fn change(&self, id: u64, next: impl FnOnce(&State) -> State) {
        // It is missing if its process was dropped.
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

/// The data is consistent between any two statements, so a panic elsewhere does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
