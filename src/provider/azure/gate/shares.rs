//! How much of a window each namespace has used.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The granularity of counting. A coarser one takes less memory, and counts a request up to this much longer.
const SLOT: Duration = Duration::from_secs(1);

/// The requests of each namespace within a window. It has at most as many entries as requests fit into the window.
#[derive(Debug)]
pub(super) struct Shares {
    window: Duration,
    /// Oldest first.
    slots: VecDeque<(Instant, Counts)>,
    totals: Counts,
}

type Counts = HashMap<Arc<str>, u32>;

impl Shares {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, slots: VecDeque::new(), totals: Counts::new() }
    }

    /// Counts a request of a namespace. Only [`Self::expire`] forgets requests.
    pub(super) fn add(&mut self, now: Instant, namespace: &Arc<str>) {
        *self.totals.entry(Arc::clone(namespace)).or_default() += 1;
        if self.slots.back().is_none_or(|(began, _)| now >= *began + SLOT) {
            self.slots.push_back((now, Counts::new()));
        }
        if let Some((_, counts)) = self.slots.back_mut() {
            *counts.entry(Arc::clone(namespace)).or_default() += 1;
        }
    }

    /// Forgets the requests that have left the window.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, counts)) = self.slots.pop_front_if(|(began, _)| *began + SLOT + self.window <= now) {
            for (namespace, count) in counts {
                let Some(total) = self.totals.get_mut(&namespace) else { continue };
                *total = total.saturating_sub(count);
                if *total == 0 {
                    self.totals.remove(&namespace);
                }
            }
        }
    }

    /// The requests of a namespace within the window, as of the last [`Self::expire`].
    pub(super) fn of(&self, namespace: &str) -> u32 {
        self.totals.get(namespace).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_left_the_window_no_longer_counts_and_takes_no_memory() {
        let (start, window) = (Instant::now(), Duration::from_secs(10));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut shares = Shares::new(window);
        shares.add(start, &one);
        shares.add(start + Duration::from_secs(5), &one);
        shares.add(start + Duration::from_secs(5), &other);
        assert_eq!((shares.of("one"), shares.of("other"), shares.of("none")), (2, 1, 0));
        shares.expire(start + Duration::from_secs(12));
        assert_eq!(shares.of("one"), 1);
        shares.expire(start + Duration::from_secs(20));
        assert!(shares.slots.is_empty() && shares.totals.is_empty());
    }
}
