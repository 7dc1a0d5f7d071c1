//! Which secrets of a vault have changed since they were read, learned from a list of it.
//!
//! A list tells of 25 secrets a page when each was last changed. So where at least as many secrets are due as the list has
//! pages, it costs no more than reading them, and most often far less. It needs the right to list, which nobody must
//! give: where it is refused, everything is read as without it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::coalesce::{Coalescer, Progress};
use super::diagnose::{Cause, Diagnosis};
use super::list::{List, Listed};
use crate::provider::shares::Share;
use crate::provider::{Changes, Class, Freshness, ObjectMark, ReadMark};

/// How long the first of several asks waits for the others.
const GATHER: Duration = Duration::from_millis(150);

/// How long a list serves asks that come after it, and for how long it counts what was asked for.
const WINDOW: Duration = Duration::from_secs(2);

/// How long no list is tried after one was refused.
const OFF: Duration = Duration::from_hours(1);

/// Key Vault tells times in whole seconds, and its servers' clocks differ a little: what was changed so shortly before it
/// was read may have been changed again since, in the same second.
const UNCERTAIN_SECONDS: i64 = 2;

/// What a list told.
struct Index {
    /// When each enabled secret was last changed, by its URL.
    updated: HashMap<ObjectMark, i64>,
    /// How many pages it had.
    pages: usize,
    /// Where it is accounted for.
    _memory: Share,
}

/// Lists the secrets of one vault.
pub(super) trait Lists: Send + Sync + 'static {
    /// All of them, if there are no more than `most` pages.
    fn pages_at_most(&self, most: usize, progress: Progress) -> impl Future<Output = Result<List, Diagnosis>> + Send;
}

/// Tells for one identity and vault what has changed.
pub(super) struct ChangeDetector {
    inner: Mutex<Inner>,
    lists: Coalescer<(), Arc<Index>>,
}

struct Inner {
    /// What was asked for within [`WINDOW`], and when last.
    asked: HashMap<ObjectMark, Instant>,
    /// How many pages a list has, as far as is known.
    pages: usize,
    off_until: Option<Instant>,
}

impl ChangeDetector {
    pub(super) fn new() -> Self {
        let inner = Inner { asked: HashMap::new(), pages: 1, off_until: None };
        Self { inner: Mutex::new(inner), lists: Coalescer::new(WINDOW) }
    }

    /// Whether any of what was read has changed since; [`Changes::Possible`] also where finding out would cost more than
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

    /// Notes what is asked for; whether it may be listed at all.
    fn note(&self, marks: &[ReadMark], now: Instant) -> bool {
        let mut inner = self.inner();
        if inner.off_until.is_some_and(|until| now < until) {
            return false;
        }
        inner.asked.extend(marks.iter().map(|mark| (mark.object, now)));
        true
    }

    /// How many secrets are due, and how many pages a list has.
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
            // It is not tried again before it is likely to be worthwhile.
            inner.pages = inner.pages.max(tried.saturating_mul(2));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When those that are enabled were changed; one that is not counts as changed.
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
