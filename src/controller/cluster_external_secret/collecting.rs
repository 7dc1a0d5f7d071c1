//! When to write a status that many namespaces change.

use std::time::{Duration, Instant};

/// How long changes are collected at first.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest time for which they are collected while changes continue.
const LONGEST: Duration = Duration::from_secs(8);
/// Time without changes after which collecting starts again with the shortest time.
const QUIET: Duration = Duration::from_secs(10);

/// Collects changes for a second, and for longer while they continue. So a status is written soon after a single
/// change, and seldom while a thousand namespaces are being reconciled or somebody changes something in a loop.
#[derive(Debug, Default)]
pub(super) struct Collecting {
    due: Option<Instant>,
    pause: Duration,
    written: Option<Instant>,
}

impl Collecting {
    /// Something has changed. Returns whether it is the first change since the status was written.
    pub(super) fn note(&mut self, now: Instant) -> bool {
        if self.due.is_some() {
            return false;
        }
        if self.written.is_none_or(|written| now.duration_since(written) >= QUIET) {
            self.pause = SHORTEST;
        }
        self.due = Some(now + self.pause);
        true
    }

    /// When to write the status; `None` if nothing has changed.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The changes so far are included in the status that is being written.
    pub(super) fn taken(&mut self) {
        self.due = None;
    }

    /// The status was written.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        self.written = Some(now);
    }

    /// The status could not be written and will be retried.
    pub(super) fn failed(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        self.due = Some(now + self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a status is written in a minute with a change every 10 ms.
    fn writes_in_a_minute(collecting: &mut Collecting, begin: Instant) -> usize {
        let mut writes = 0;
        for step in 0..6000 {
            let now = begin + Duration::from_millis(10) * step;
            collecting.note(now);
            if collecting.due().is_some_and(|due| due <= now) {
                collecting.taken();
                collecting.wrote(now);
                writes += 1;
            }
        }
        writes
    }

    #[test]
    fn a_change_is_written_after_a_second_and_a_flood_of_them_some_times_a_minute() {
        let begin = Instant::now();
        let mut collecting = Collecting::default();
        assert!(collecting.note(begin) && !collecting.note(begin), "the second is collected with the first");
        assert_eq!(collecting.due(), Some(begin + SHORTEST));
        let writes = writes_in_a_minute(&mut Collecting::default(), begin);
        assert!((5..=10).contains(&writes), "{writes}");
    }

    #[test]
    fn after_a_quiet_time_a_change_is_written_soon_again() {
        let begin = Instant::now();
        let mut collecting = Collecting::default();
        writes_in_a_minute(&mut collecting, begin);
        collecting.taken();
        let later = begin + Duration::from_mins(2);
        collecting.note(later);
        assert_eq!(collecting.due(), Some(later + SHORTEST));
    }
}
