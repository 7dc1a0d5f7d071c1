//! What a vault refused to an identity, with one probe for all callers that wait for a right.
//!
//! A role may apply to single secrets, so one refusal says nothing about another object. But if several objects in a
//! row were refused and none allowed, all of them are probably waiting for the same change. Then one of them is
//! requested from time to time, and when it is allowed, all others are woken.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::diagnose::{Cause, Diagnosis};
use super::object::ObjectId;
use crate::provider::error::Recover;
use crate::provider::{Class, Recovery};

/// Different objects refused in a row that count as a failure of the identity in this vault.
const REFUSED_IN_A_ROW: usize = 3;

/// Refusals in a row, of any objects, after which the next is likely to be refused as well.
const REFUSED_OFTEN: u32 = 30;

/// The most refused objects that are remembered.
const MOST_REMEMBERED: usize = 64;

/// The waits between probes.
const PROBES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];

/// How long after a right was granted a single refused object is probed, too: roles do not reach all of Key Vault's
/// servers at once.
const SETTLING: Duration = Duration::from_mins(1);

/// What one vault refused to one identity.
pub(super) struct Rights {
    inner: Mutex<Inner>,
    /// Changes when an object that was refused is allowed.
    given: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    refused: HashSet<ObjectId>,
    /// Whether more were refused than are remembered.
    more_refused: bool,
    refusals_in_a_row: u32,
    refused_writes_in_a_row: u32,
    given_at: Option<Instant>,
    probing: bool,
    probes: usize,
}

/// What the end of a read means for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing.
    None,
    /// Start sending probes, as [`Rights::next_probe`] says.
    Probe,
}

impl Rights {
    pub(super) fn new() -> Self {
        Self { inner: Mutex::default(), given: watch::Sender::new(()) }
    }

    /// A read has ended. A refusal gets a [`Recovery`].
    pub(super) fn read_ended<T>(
        &self,
        object: &ObjectId,
        outcome: Result<T, Diagnosis>,
    ) -> (Result<T, Diagnosis>, Consequence) {
        match outcome {
            Err(refusal) if refusal.cause.class() == Class::Denied => {
                let refusal = refusal.recovery(Recovery::new(RightGiven(self.given.subscribe())));
                (Err(refusal), self.refused(object))
            }
            Ok(value) => {
                self.allowed(object);
                (Ok(value), Consequence::None)
            }
            // The vault accepts no token of this identity.
            Err(other) if other.cause == Cause::TokenRefused => {
                let mut inner = self.inner();
                inner.refusals_in_a_row = inner.refusals_in_a_row.saturating_add(1);
                drop(inner);
                (Err(other), Consequence::None)
            }
            Err(other) => {
                if matches!(other.cause.class(), Class::Absent | Class::Disabled) {
                    self.allowed(object);
                }
                (Err(other), Consequence::None)
            }
        }
    }

    /// How long to wait before the next probe, and which object to request; `None` if no more probes are needed,
    /// because nobody waits or the refusals may have different reasons.
    pub(super) fn next_probe(&self) -> Option<(Duration, ObjectId)> {
        let mut inner = self.inner();
        if !inner.is_common() || self.given.receiver_count() == 0 {
            (inner.probing, inner.probes) = (false, 0);
            return None;
        }
        let wait = PROBES[inner.probes.min(PROBES.len() - 1)];
        // A different one each time: the first may be refused for good.
        let object = inner.refused.iter().nth(inner.probes % inner.refused.len())?.clone();
        inner.probes += 1;
        Some((wait, object))
    }

    /// Whether many reads in a row were refused, and none allowed.
    pub(super) fn is_refused_often(&self) -> bool {
        self.inner().refusals_in_a_row >= REFUSED_OFTEN
    }

    /// A write ended.
    pub(super) fn write_ended<T>(&self, outcome: &Result<T, Diagnosis>) {
        let mut inner = self.inner();
        inner.refused_writes_in_a_row = match outcome {
            Err(refusal) if refusal.cause.class() == Class::Denied || refusal.cause == Cause::TokenRefused => {
                inner.refused_writes_in_a_row.saturating_add(1)
            }
            Ok(_) => 0,
            Err(_) => inner.refused_writes_in_a_row,
        };
    }

    /// Whether writes were refused many times in a row: who may read a vault need not be allowed to write to it.
    pub(super) fn are_writes_refused_often(&self) -> bool {
        self.inner().refused_writes_in_a_row >= REFUSED_OFTEN
    }

    fn refused(&self, object: &ObjectId) -> Consequence {
        let mut inner = self.inner();
        inner.refusals_in_a_row = inner.refusals_in_a_row.saturating_add(1);
        if inner.refused.len() < MOST_REMEMBERED {
            inner.refused.insert(object.clone());
        } else {
            inner.more_refused |= !inner.refused.contains(object);
        }
        if inner.probing || !inner.is_common() {
            return Consequence::None;
        }
        inner.probing = true;
        Consequence::Probe
    }

    fn allowed(&self, object: &ObjectId) {
        let mut inner = self.inner();
        let was_refused = inner.refused.remove(object) || inner.more_refused;
        inner.refused.clear();
        (inner.more_refused, inner.refusals_in_a_row) = (false, 0);
        if was_refused {
            inner.given_at = Some(Instant::now());
            inner.probes = 0;
            drop(inner);
            self.given.send_replace(());
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_common(&self) -> bool {
        let is_settling = self.given_at.is_some_and(|given| given.elapsed() < SETTLING);
        self.refused.len() >= if is_settling { 1 } else { REFUSED_IN_A_ROW }
    }
}

/// The next time a right is granted.
struct RightGiven(watch::Receiver<()>);

impl Recover for RightGiven {
    fn recovered(&self) -> BoxFuture<'static, ()> {
        let mut given = self.0.clone();
        async move {
            if given.changed().await.is_err() {
                // The identity no longer uses this vault, so nobody will report.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::object::ObjectKind;
    use super::*;

    fn object(name: &str) -> ObjectId {
        ObjectId { kind: ObjectKind::Secret, name: name.to_owned(), version: None }
    }

    fn refuse(rights: &Rights, name: &str) -> (Diagnosis, Consequence) {
        let refusal = Diagnosis::new(Cause::ForbiddenByRbac, "no");
        let (outcome, consequence) = rights.read_ended::<()>(&object(name), Err(refusal));
        (outcome.unwrap_err(), consequence)
    }

    fn is_recovered(refusal: &Diagnosis) -> bool {
        refusal.recovery.as_ref().unwrap().recovered().now_or_never().is_some()
    }

    #[test]
    fn three_objects_refused_in_a_row_are_probed_until_one_is_allowed_which_wakes_all() {
        let rights = Rights::new();
        let (first, consequence) = refuse(&rights, "a");
        assert_eq!(consequence, Consequence::None);
        assert_eq!(refuse(&rights, "a").1, Consequence::None, "the same object");
        refuse(&rights, "b");
        let (last, consequence) = refuse(&rights, "c");
        assert_eq!(consequence, Consequence::Probe);
        assert_eq!(refuse(&rights, "d").1, Consequence::None, "it is probed already");
        let (_, probe) = rights.next_probe().unwrap();
        assert!(!is_recovered(&first) && !is_recovered(&last));
        let (outcome, _) = rights.read_ended(&probe, Ok(()));
        outcome.unwrap();
        assert!(is_recovered(&first) && is_recovered(&last));
        assert!(rights.next_probe().is_none());
    }

    #[test]
    fn objects_that_are_allowed_in_between_mean_that_the_refusals_are_of_single_objects() {
        let rights = Rights::new();
        let (refusal, _) = refuse(&rights, "a");
        refuse(&rights, "b");
        let _ = rights.read_ended(&object("x"), Ok(()));
        assert_eq!(refuse(&rights, "c").1, Consequence::None);
        assert!(!is_recovered(&refusal), "x was never refused, so nothing has changed");
    }

    #[test]
    fn an_identity_that_is_refused_many_objects_is_recognized_and_no_list_of_them_grows() {
        let rights = Rights::new();
        for number in 0..1000 {
            drop(refuse(&rights, &number.to_string()));
        }
        assert!(rights.is_refused_often());
        assert!(rights.inner().refused.len() <= MOST_REMEMBERED);
        let (waiting, _) = refuse(&rights, "999");
        let _ = rights.read_ended(&object("999"), Ok(()));
        assert!(is_recovered(&waiting), "it is not among those that are remembered");
        assert!(!rights.is_refused_often());
    }

    #[test]
    fn who_may_read_and_is_refused_many_writes_is_told_apart_until_one_is_allowed() {
        let rights = Rights::new();
        for _ in 0..REFUSED_OFTEN {
            assert!(!rights.are_writes_refused_often());
            let _ = rights.read_ended(&object("a"), Ok(()));
            rights.write_ended::<()>(&Err(Diagnosis::new(Cause::ForbiddenByRbac, "no")));
        }
        assert!(rights.are_writes_refused_often() && !rights.is_refused_often());
        rights.write_ended(&Ok(()));
        assert!(!rights.are_writes_refused_often());
    }

    #[test]
    fn probes_end_when_nobody_waits() {
        let rights = Rights::new();
        for name in ["a", "b", "c"] {
            drop(refuse(&rights, name));
        }
        assert!(rights.next_probe().is_none());
    }
}
