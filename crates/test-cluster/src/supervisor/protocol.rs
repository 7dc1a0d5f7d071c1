//! The messages between a supervisor and its parent: one JSON object per line.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use super::process::Program;

/// From the parent, on the supervisor's standard input. The end of the input means: end everything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Run a program; answered by `Started` or `Failed`, later by `Exited`.
    Start { id: u64, program: Program },
    /// Send a signal to a process; no answer.
    Signal { id: u64, signal: Signal },
    /// Do not remove the logs at the end.
    KeepLogs,
}

/// From the supervisor, on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The first line.
    Ready {
        directory: PathBuf,
    },
    Started {
        id: u64,
        pid: u32,
    },
    Failed {
        id: u64,
        reason: String,
    },
    Exited {
        id: u64,
        exit: Exit,
    },
}

/// A signal to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM: end gracefully.
    Terminate,
    /// SIGKILL: end at once.
    Kill,
    /// SIGSTOP: pause.
    Pause,
    /// SIGCONT: continue.
    Resume,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        Self { code: status.code(), signal: status.signal() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("unknown status"),
        }
    }
}
