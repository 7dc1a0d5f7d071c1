//! Learns from a list of the vault which secrets have changed since they were read.
//!
//! A page of a list shows when each of 25 secrets was last changed. If at least as many secrets are due as the list has
//! pages, listing costs no more requests than reading them, and usually far fewer. Often only some of the secrets that
//! are due ask at the same time, because a namespace may run few refreshes at once. So requests that lists have saved
//! pay for later lists that begin with fewer: all together they never cost more than reading. Listing requires the right
//! to list. Without that right, which is optional, everything is read individually.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::coalesce::{Coalescer, Progress};
use super::diagnose::{Cause, Diagnosis};
use super::list::{List, Listed};
use crate::provider::shares::Share;
use crate::provider::{Changes, Class, Freshness, ObjectMark, ReadMark};

/// How long the first of several callers waits for others.
const GATHER: Duration = Duration::from_millis(150);

/// How long a list answers later callers, and how long requested secrets are counted as due.
const WINDOW: Duration = Duration::from_secs(2);

/// How long listing is not attempted after it was refused.
const OFF: Duration = Duration::from_hours(1);

/// How many lists may be paid for by savings before one must save again, so that a burst long ago counts little.
const MOST_SAVED: usize = 2;

/// Key Vault's times are whole seconds, and its servers' clocks differ slightly. A secret that was changed this shortly
/// before it was read may have been changed again in the same second.
const UNCERTAIN_SECONDS: i64 = 2;

/// The content of a list.
struct Index {
    /// When each enabled secret was last changed, by URL.
    updated: HashMap<ObjectMark, i64>,
    /// The memory that it is charged to.
    _memory: Share,
}

/// Lists the secrets of one vault.
pub(super) trait Lists: Send + Sync + 'static {
    /// All of them, if there are at most `most` pages.
    fn pages_at_most(&self, most: usize, progress: Progress) -> impl Future<Output = Result<List, Diagnosis>> + Send;
}

/// Detects changes for one identity and vault.
pub(super) struct ChangeDetector {
    inner: Arc<Mutex<Inner>>,
    lists: Coalescer<(), Arc<Index>>,
}

struct Inner {
    /// The secrets asked for within [`WINDOW`], and when last.
    asked: HashMap<ObjectMark, Instant>,
    /// The number of pages, as far as is known.
    pages: usize,
    /// Reads that lists have saved beyond their own cost, at most [`MOST_SAVED`] times the pages.
    saved: usize,
    off_until: Option<Instant>,
}

impl ChangeDetector {
    pub(super) fn new() -> Self {
        let inner = Inner { asked: HashMap::new(), pages: 1, saved: 0, off_until: None };
        Self { inner: Arc::new(Mutex::new(inner)), lists: Coalescer::new(WINDOW) }
    }

    /// Whether anything that was read has changed since. [`Changes::Possible`] also if finding out would cost more than
    /// reading.
    pub(super) async fn since(&self, marks: &[ReadMark], lister: &Arc<impl Lists>) -> Changes {
        if marks.is_empty() || !self.note(marks, Instant::now()) {
            return Changes::Possible;
        }
        if !self.lists.is_shared(&()) {
            tokio::time::sleep(GATHER).await;
        }
        let (affordable, pages) = self.affordable(Instant::now());
        if affordable < pages && !self.lists.is_shared(&()) {
            return Changes::Possible;
        }
        let (lister, inner) = (Arc::clone(lister), Arc::clone(&self.inner));
        let list = |progress: Progress| async move {
            let List { secrets, pages, memory } = lister.pages_at_most(affordable.max(1), progress).await?;
            lock(&inner).listed(pages);
            Ok(Arc::new(Index { updated: enabled(secrets), _memory: memory }))
        };
        match self.lists.read((), Freshness::Shared, list).await.0 {
            Ok(index) if marks.iter().all(|mark| is_unchanged(mark, &index.updated)) => {
                self.inner().saved(marks.len());
                Changes::None
            }
            Ok(_) => Changes::Possible,
            Err(reason) => {
                self.failed(&reason, affordable, Instant::now());
                Changes::Possible
            }
        }
    }

    /// Records what is asked for. Returns whether listing may be attempted at all.
    fn note(&self, marks: &[ReadMark], now: Instant) -> bool {
        let mut inner = self.inner();
        if inner.off_until.is_some_and(|until| now < until) {
            return false;
        }
        inner.asked.extend(marks.iter().map(|mark| (mark.object, now)));
        true
    }

    /// How many requests a list may cost now: one for each secret that is due, or those that lists have saved. And the
    /// number of pages of a list.
    fn affordable(&self, now: Instant) -> (usize, usize) {
        let mut inner = self.inner();
        inner.asked.retain(|_, at| now.duration_since(*at) < WINDOW);
        (inner.asked.len().max(inner.saved), inner.pages)
    }

    fn failed(&self, reason: &Diagnosis, tried: usize, now: Instant) {
        let mut inner = self.inner();
        inner.saved = 0;
        if reason.cause.class() == Class::Denied {
            inner.off_until = Some(now + OFF);
            inner.asked.clear();
        } else if reason.cause == Cause::AnswerTooLarge {
            // Listing is not attempted again until it is likely to be worthwhile.
            inner.pages = inner.pages.max(tried.saturating_mul(2));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Inner {
    /// A list has cost so many requests.
    fn listed(&mut self, pages: usize) {
        self.pages = pages;
        self.saved = self.saved.saturating_sub(pages);
    }

    /// A list has answered in place of so many reads.
    fn saved(&mut self, reads: usize) {
        self.saved = self.saved.saturating_add(reads).min(self.pages.saturating_mul(MOST_SAVED));
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the enabled secrets were last changed; a disabled one counts as changed.
fn enabled(secrets: Vec<Listed>) -> HashMap<ObjectMark, i64> {
    let enabled = secrets.into_iter().filter(|secret| secret.enabled == Some(true));
    enabled.filter_map(|secret| Some((ObjectMark::of(&secret.id), secret.updated?))).collect()
}

fn is_unchanged(mark: &ReadMark, updated: &HashMap<ObjectMark, i64>) -> bool {
    updated.get(&mark.object) == Some(&mark.updated) && mark.updated < mark.read - UNCERTAIN_SECONDS
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unchanged(100, 103, Some(100), true)]
    #[case::changed(100, 103, Some(101), false)]
    #[case::restored_from_a_backup(100, 103, Some(99), false)]
    #[case::gone_or_disabled(100, 103, None, false)]
    #[case::read_too_shortly_after_its_change(100, 102, Some(100), false)]
    fn a_secret_is_unchanged_only_if_that_is_certain(
        #[case] updated: i64,
        #[case] read: i64,
        #[case] listed: Option<i64>,
        #[case] expected: bool,
    ) {
        let object = ObjectMark::of("https://v.vault.azure.net/secrets/a");
        let listed = listed.map(|updated| (object, updated)).into_iter().collect();
        assert_eq!(is_unchanged(&ReadMark { object, updated, read }, &listed), expected);
    }

    #[test]
    fn what_lists_have_saved_pays_for_two_lists_for_few_secrets() {
        let (detector, now) = (ChangeDetector::new(), Instant::now());
        let ask = |count: usize, now| {
            let mark = |number| {
                let object = ObjectMark::of(&format!("https://v.vault.azure.net/secrets/{number}"));
                ReadMark { object, updated: 0, read: 10 }
            };
            detector.note(&(0..count).map(mark).collect::<Vec<_>>(), now);
            detector.affordable(now).0
        };
        detector.inner().pages = 40;
        assert_eq!(ask(16, now), 16);
        // A list for 1,000 secrets, which asked at different times.
        detector.inner().listed(40);
        detector.inner().saved(1000);
        for (window, affordable) in [(1, 80), (2, 41), (3, 2)] {
            let now = now + WINDOW * window;
            let found = ask(1, now);
            assert_eq!(found, affordable);
            if found >= 40 {
                detector.inner().listed(40);
                detector.inner().saved(1);
            }
        }
    }
}
