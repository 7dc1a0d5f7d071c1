//! Learns from a list of the vault which secrets have changed since they were read.
//!
//! A page of a list shows when each of 25 secrets was last changed. If at least as many secrets are due as the list has
//! pages, listing costs no more requests than reading them, and usually far fewer. It requires the right to list.
//! Without that right, which is optional, everything is read individually.

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

/// Key Vault's times are whole seconds, and its servers' clocks differ slightly. A secret that was changed this shortly
/// before it was read may have been changed again in the same second.
const UNCERTAIN_SECONDS: i64 = 2;

/// The content of a list.
struct Index {
    /// When each enabled secret was last changed, by URL.
    updated: HashMap<ObjectMark, i64>,
    /// The number of pages.
    pages: usize,
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
    inner: Mutex<Inner>,
    lists: Coalescer<(), Arc<Index>>,
}

struct Inner {
    /// The secrets asked for within [`WINDOW`], and when last.
    asked: HashMap<ObjectMark, Instant>,
    /// The number of pages, as far as is known.
    pages: usize,
    off_until: Option<Instant>,
}

impl ChangeDetector {
    pub(super) fn new() -> Self {
        let inner = Inner { asked: HashMap::new(), pages: 1, off_until: None };
        Self { inner: Mutex::new(inner), lists: Coalescer::new(WINDOW) }
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
        let (due, pages) = self.due(Instant::now());
        if due < pages && !self.lists.is_shared(&()) {
            return Changes::Possible;
        }
        let lister = Arc::clone(lister);
        let list = |progress: Progress| async move {
            let List { secrets, pages, memory } = lister.pages_at_most(due.max(1), progress).await?;
            Ok(Arc::new(Index { updated: enabled(secrets), pages, _memory: memory }))
        };
        match self.lists.read((), Freshness::Shared, list).await.0 {
            Ok(index) => {
                self.inner().pages = index.pages;
                let unchanged = marks.iter().all(|mark| is_unchanged(mark, &index.updated));
                if unchanged { Changes::None } else { Changes::Possible }
            }
            Err(reason) => {
                self.failed(&reason, due, Instant::now());
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

    /// The number of secrets that are due, and the number of pages of a list.
    fn due(&self, now: Instant) -> (usize, usize) {
        let mut inner = self.inner();
        inner.asked.retain(|_, at| now.duration_since(*at) < WINDOW);
        (inner.asked.len(), inner.pages)
    }

    fn failed(&self, reason: &Diagnosis, tried: usize, now: Instant) {
        let mut inner = self.inner();
        if reason.cause.class() == Class::Denied {
            inner.off_until = Some(now + OFF);
            inner.asked.clear();
        } else if reason.cause == Cause::AnswerTooLarge {
            // Listing is not attempted again until it is likely to be worthwhile.
            inner.pages = inner.pages.max(tried.saturating_mul(2));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}
