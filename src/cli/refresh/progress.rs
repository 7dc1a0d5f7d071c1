//! Progress of a refresh of many.

use std::time::Instant;

use super::outcome::{Outcome, Outcomes};
use super::print;
use crate::cli::person::names::Named;
use crate::cli::person::printing::note;

/// Collects results, and reports progress.
pub(super) struct Progress {
    pub(super) began: Instant,
    pub(super) is_terminal: bool,
    /// How many are refreshed.
    pub(super) all: usize,
    ended: usize,
    failed: usize,
    pub(super) outcomes: Outcomes,
}

impl Progress {
    pub(super) fn new(began: Instant, is_terminal: bool, all: usize) -> Self {
        Self { began, is_terminal, all, ended: 0, failed: 0, outcomes: Outcomes::new() }
    }

    /// One more has ended.
    #[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
    pub(super) fn ended(&mut self, named: Named, outcome: Outcome) {
        self.ended += 1;
        self.failed += usize::from(outcome.is_failed());
        let Self { all, ended, failed, .. } = *self;
        if self.is_terminal {
            let (rest, seconds) = (all.saturating_sub(ended), self.began.elapsed().as_secs());
            eprint!("\r\x1b[K{} of {all} refreshed, {failed} failed, {rest} to go ({seconds} s)", ended - failed);
        } else {
            note(print::line(&named, &outcome).trim_end());
        }
        self.outcomes.insert(named, outcome);
    }

    /// Ends the progress line before the results are printed.
    #[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
    pub(super) fn end(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
    }
}
