//! Decides who may lead, from what was seen of the Lease and when, without a client or a clock.
//!
//! The times in a Lease come from another machine's clock and are never compared with ours. A holder counts as gone
//! when the Lease has not changed for its own duration, by our clock, since we first saw it in its current state
//! (<https://github.com/kubernetes/client-go/blob/master/tools/leaderelection/leaderelection.go> does the same).

use std::time::Duration;

use jiff::Timestamp;

use super::lease_object::{Lease, LeaseSpec, micro_time};
use super::timing::Timing;

/// A process that leads or wants to lead.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

/// The Lease, and when it was first seen in this state.
#[derive(Debug)]
struct Seen {
    uid: Option<String>,
    spec: LeaseSpec,
    since: Duration,
}

/// What to do about the Lease.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Write this.
    Write(LeaseSpec),
    /// Leave it to its holder.
    HeldBy(String),
}

impl Candidate {
    pub(super) fn new(identity: String, timing: Timing) -> Self {
        Self { identity, timing, seen: None }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// What to do about the Lease that was read at `now` (uptime); `None` means that there is none. `wall` is only
    /// written for people to read.
    pub(super) fn decide(&mut self, lease: Option<&Lease>, now: Duration, wall: Timestamp) -> Decision {
        let Some(lease) = lease else {
            self.seen = None;
            return Decision::Write(self.spec(None, wall));
        };
        let spec = lease.spec.clone();
        let since = match &self.seen {
            Some(seen) if seen.uid == lease.metadata.uid && seen.spec == spec => seen.since,
            _ => now,
        };
        let lasts = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.timing.lease_duration, Duration::from_secs);
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let is_free = holder.is_empty() || holder == self.identity || now.saturating_sub(since) > lasts;
        let decision = if is_free { Decision::Write(self.spec(Some(&spec), wall)) } else { Decision::HeldBy(holder) };
        self.seen = Some(Seen { uid: lease.metadata.uid.clone(), spec, since });
        decision
    }

    /// The Lease as this candidate holds it, following `before`.
    fn spec(&self, before: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let is_held = before.is_some_and(|before| before.holder_identity.as_ref() == Some(&self.identity));
        let acquired = before.filter(|_| is_held).and_then(|before| before.acquire_time.clone());
        let transitions = before.map(|before| before.lease_transitions.unwrap_or_default());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(whole_seconds(self.timing.lease_duration)),
            acquire_time: acquired.or_else(|| Some(micro_time(wall))),
            renew_time: Some(micro_time(wall)),
            lease_transitions: transitions.map_or(Some(0), |count| Some(count.saturating_add(i32::from(!is_held)))),
            ..before.cloned().unwrap_or_default()
        }
    }

    /// The Lease after it is released, so that nobody has to wait.
    pub(super) fn released(before: LeaseSpec, wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(micro_time(wall)),
            ..before
        }
    }
}

/// A Lease has whole seconds. Rounds up, or others would take over too early.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn candidate(identity: &str) -> Candidate {
        Candidate::new(identity.to_owned(), Timing::default())
    }

    fn lease(spec: LeaseSpec) -> Lease {
        Lease { metadata: ObjectMeta { uid: Some("1".to_owned()), ..ObjectMeta::default() }, spec }
    }

    fn written(decision: Decision) -> LeaseSpec {
        match decision {
            Decision::Write(spec) => spec,
            Decision::HeldBy(holder) => panic!("held by {holder}"),
        }
    }

    #[test]
    fn a_lease_that_is_not_there_is_made() {
        let spec = written(candidate("a").decide(None, at(0), wall(0)));
        assert_eq!(spec.holder_identity.as_deref(), Some("a"));
        assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(0)));
        assert_eq!(spec.acquire_time, Some(micro_time(wall(0))));
    }

    #[test]
    fn another_holder_counts_as_gone_only_after_its_lease_was_seen_unchanged_for_as_long_as_it_lasts() {
        let held = lease(written(candidate("a").decide(None, at(0), wall(0))));
        let mut b = candidate("b");
        // It is first seen long after it was written: the other machine's clock is ignored.
        assert_eq!(b.decide(Some(&held), at(1000), wall(9999)), Decision::HeldBy("a".to_owned()));
        assert_eq!(b.decide(Some(&held), at(1015), wall(9999)), Decision::HeldBy("a".to_owned()));
        let taken = written(b.decide(Some(&held), at(1016), wall(9999)));
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(taken.acquire_time, Some(micro_time(wall(9999))));
    }

    #[test]
    fn a_renewal_restarts_the_wait() {
        let mut a = candidate("a");
        let mut b = candidate("b");
        let first = lease(written(a.decide(None, at(0), wall(0))));
        b.decide(Some(&first), at(1), wall(1));
        let renewed = lease(written(a.decide(Some(&first), at(14), wall(14))));
        assert_eq!(renewed.spec.lease_transitions, Some(0));
        assert_eq!(renewed.spec.acquire_time, Some(micro_time(wall(0))), "it holds it since then");
        assert_eq!(b.decide(Some(&renewed), at(17), wall(17)), Decision::HeldBy("a".to_owned()));
        assert_eq!(b.decide(Some(&renewed), at(31), wall(31)), Decision::HeldBy("a".to_owned()));
        written(b.decide(Some(&renewed), at(33), wall(33)));
    }

    #[test]
    fn the_holder_says_how_long_its_lease_lasts() {
        let long = Timing { lease_duration: at(60), ..Timing::default() };
        let held = lease(written(Candidate::new("a".to_owned(), long).decide(None, at(0), wall(0))));
        let mut b = candidate("b");
        b.decide(Some(&held), at(0), wall(0));
        assert_eq!(b.decide(Some(&held), at(59), wall(59)), Decision::HeldBy("a".to_owned()));
        written(b.decide(Some(&held), at(61), wall(61)));
    }

    #[test]
    fn a_holder_who_wrote_odd_times_is_waited_for_and_then_replaced() {
        let odd = r#"{"metadata": {"uid": "1"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": "long",
            "acquireTime": "9999-12-31T23:59:59.999999Z", "renewTime": "9999-12-31T23:59:59.999999Z", "leaseTransitions": 2147483647}}"#;
        let odd: Lease = serde_json::from_str(odd).unwrap();
        let mut b = candidate("b");
        assert_eq!(b.decide(Some(&odd), at(0), wall(0)), Decision::HeldBy("a".to_owned()));
        assert_eq!(b.decide(Some(&odd), at(15), wall(15)), Decision::HeldBy("a".to_owned()));
        let taken = written(b.decide(Some(&odd), at(16), wall(16)));
        assert_eq!(taken.acquire_time, Some(micro_time(wall(16))));
        assert_eq!((taken.lease_duration_seconds, taken.lease_transitions), (Some(15), Some(i32::MAX)));
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once() {
        let mut a = candidate("a");
        let held = written(a.decide(None, at(0), wall(0)));
        let free = lease(Candidate::released(held, wall(1)));
        let taken = written(candidate("b").decide(Some(&free), at(2), wall(2)));
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_duration_seconds, Some(15));
    }

    #[test]
    fn a_lease_that_was_deleted_and_recreated_is_another_one() {
        let held = lease(written(candidate("a").decide(None, at(0), wall(0))));
        let mut b = candidate("b");
        b.decide(Some(&held), at(0), wall(0));
        let mut anew = held;
        anew.metadata.uid = Some("2".to_owned());
        assert_eq!(b.decide(Some(&anew), at(20), wall(20)), Decision::HeldBy("a".to_owned()));
    }
}
