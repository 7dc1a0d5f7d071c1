//! Progress of a refresh of many.

use std::time::Instant;

use super::outcome::Outcome;
use super::print;
use crate::cli::person::printing::note;

/// Reports progress.
pub(super) struct Progress {
    pub(super) began: Instant,
    pub(super) is_terminal: bool,
}

impl Progress {
    /// One more has ended.
    #[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
    pub(super) fn ended(&self, name: &str, outcome: &Outcome, ended: usize, failed: usize, all: usize) {
        if self.is_terminal {
            let (rest, seconds) = (all.saturating_sub(ended), self.began.elapsed().as_secs());
            eprint!("\r\x1b[K{} of {all} refreshed, {failed} failed, {rest} to go ({seconds} s)", ended - failed);
        } else {
            note(print::line(name, outcome).trim_end());
        }
    }

    /// Ends the progress line before the results are printed.
    #[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
    pub(super) fn end(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
    }
}
