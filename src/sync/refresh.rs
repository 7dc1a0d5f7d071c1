//! When values must be read again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::hash;
use super::windows::{self, Permit};
use crate::api::v1::external_secret::{
    DEFAULT_REFRESH_INTERVAL, ExternalSecretSpec, ExternalSecretStatus, RefreshPolicy,
    controlling_cluster_external_secret,
};

/// The most by which a refresh is delayed, as a fraction of the interval, so that ExternalSecrets that
/// were applied together drift apart.
const JITTER: f64 = 0.05;

/// No ExternalSecret is refreshed more often: times have whole seconds, and a shorter interval would be reconciled
/// without a pause.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a refresh is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now, for this reason.
    Now(Reason),
    /// At this time, and not before.
    At(Timestamp),
    /// Not until something changes.
    OnChange,
}

/// Why a refresh is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was never synced.
    First,
    /// Its spec, labels or annotations changed since the last sync; `force-sync` is one of these.
    Changed,
    /// The interval has elapsed.
    Interval,
    /// The last refresh is in the future, because the clock was turned back.
    ClockWentBack,
    /// Somebody else changed or deleted the target Secret.
    TargetChanged,
    /// A ConfigMap or Secret with its templates has changed.
    TemplatesChanged,
    /// A token in the target expires before the interval ends.
    Expiry,
}

/// The lifetime of a token in the target, which is renewed before it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLife {
    /// When it was made.
    pub made: Timestamp,
    /// When it expires.
    pub until: Timestamp,
}

/// The inputs of [`due`].
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Of the ExternalSecret.
    pub meta: &'a ObjectMeta,
    /// Of the ExternalSecret.
    pub spec: &'a ExternalSecretSpec,
    /// Of the ExternalSecret.
    pub status: Option<&'a ExternalSecretStatus>,
    /// Whether the target Secret still is what was last written.
    pub target: TargetState,
    /// Whether the ConfigMaps and Secrets with its templates are as they were last rendered.
    pub templates: TemplatesState,
    /// The token in the target that expires first, if there is one.
    pub token: Option<TokenLife>,
    /// The time now.
    pub now: Timestamp,
}

/// Whether the ConfigMaps and Secrets with templates are as they were last rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatesState {
    /// They are.
    Same,
    /// One of them has changed.
    Changed,
}

/// Whether the target Secret still is what was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It is.
    Intact,
    /// It is missing, or its content is not what was last written.
    Changed,
}

/// Decides whether values must be read again, as ESO does (`shouldRefresh`, `isSecretValid`) with two exceptions: a
/// change also counts if the interval is zero, and periodic refreshes are spread. `syncWindows` hold back only periodic
/// refreshes.
#[must_use]
pub fn due(inputs: Inputs<'_>) -> Due {
    let status = inputs.status;
    let synced = status.and_then(|s| s.synced_resource_version.as_deref()).filter(|s| !s.is_empty());
    let last = status.and_then(|s| s.refresh_time.as_ref()).map(|time| time.0);
    let (Some(synced), Some(last)) = (synced, last) else {
        return Due::Now(Reason::First);
    };
    let policy = inputs.spec.refresh_policy.unwrap_or(RefreshPolicy::Periodic);
    if policy != RefreshPolicy::CreatedOnce && synced != hash::synced_resource_version(inputs.meta) {
        return Due::Now(Reason::Changed);
    }
    if inputs.target == TargetState::Changed {
        return Due::Now(Reason::TargetChanged);
    }
    if policy != RefreshPolicy::CreatedOnce && inputs.templates == TemplatesState::Changed {
        return Due::Now(Reason::TemplatesChanged);
    }
    match policy {
        RefreshPolicy::CreatedOnce | RefreshPolicy::OnChange => Due::OnChange,
        RefreshPolicy::Periodic => periodic(inputs, last),
    }
}

fn periodic(inputs: Inputs<'_>, last: Timestamp) -> Due {
    let Some(interval) = inputs.spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive() else {
        return Due::OnChange;
    };
    let interval = interval.max(SHORTEST_INTERVAL);
    if last > inputs.now {
        return Due::Now(Reason::ClockWentBack);
    }
    // `syncWindows` hold back what can wait; a token's expiry cannot.
    let renewal = inputs.token.map(|token| renewal(inputs.meta, token, last));
    match (by_interval(inputs, last, interval), renewal) {
        (Due::Now(reason), _) => Due::Now(reason),
        (_, Some(renewal)) if renewal <= inputs.now => Due::Now(Reason::Expiry),
        (Due::At(next), Some(renewal)) => Due::At(next.min(renewal)),
        (Due::OnChange, Some(renewal)) => Due::At(renewal),
        (due, None) => due,
    }
}

fn by_interval(inputs: Inputs<'_>, last: Timestamp, interval: Duration) -> Due {
    match last.checked_add(interval + put_off(inputs.meta, last, interval)) {
        Ok(next) if next > inputs.now => Due::At(next),
        Ok(_) => match windows::permit(inputs.spec.sync_windows.as_ref(), inputs.now) {
            Permit::Now => Due::Now(Reason::Interval),
            Permit::NotBefore(time) => Due::At(time),
            Permit::Never => Due::OnChange,
        },
        // The time is out of range.
        Err(_) => Due::OnChange,
    }
}

/// Whether tokens are renewed before they expire.
#[must_use]
pub fn renews_tokens(spec: &ExternalSecretSpec) -> bool {
    spec.refresh_policy.unwrap_or(RefreshPolicy::Periodic) == RefreshPolicy::Periodic
        && spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().is_some()
}

/// When a token is renewed: between two thirds and three quarters of its lifetime.
fn renewal(meta: &ObjectMeta, token: TokenLife, last: Timestamp) -> Timestamp {
    let life = Duration::try_from(token.until.duration_since(token.made)).unwrap_or_default();
    // The difference is one twelfth.
    let late = life.div_f64(12.0).mul_f64(fraction(of_object(meta, token.made)));
    let renewal = token.made.checked_add(life.mul_f64(2.0 / 3.0) + late).unwrap_or(token.until);
    // A token that expires at once is not requested without a pause.
    renewal.max(last.checked_add(SHORTEST_INTERVAL).unwrap_or(last))
}

/// How much a refresh is delayed. Depends only on the object and its last refresh, so the same input gives the same
/// time.
fn put_off(meta: &ObjectMeta, last: Timestamp, interval: Duration) -> Duration {
    match controlling_cluster_external_secret(meta) {
        Some(parent) => until_next_of_grid(parent, last, interval),
        None => jitter(meta, last, interval),
    }
}

/// By how much a refresh is delayed, so that objects that were applied together drift apart.
pub(super) fn jitter(meta: &ObjectMeta, last: Timestamp, interval: Duration) -> Duration {
    interval.mul_f64(fraction(of_object(meta, last)) * JITTER)
}

/// Differs for each object and time.
fn of_object(meta: &ObjectMeta, last: Timestamp) -> impl Iterator<Item = u8> {
    meta.uid.as_deref().unwrap_or_default().bytes().chain(last.as_second().to_le_bytes())
}

/// The ExternalSecrets of one ClusterExternalSecret read the same values. Their refreshes are aligned to a grid, so
/// that one read answers many of them: everything refreshed between two grid points is refreshed together the next
/// time. The grid is as wide as the longest delay of a refresh, which makes at most 20 such groups per interval. Where
/// it begins depends on the ClusterExternalSecret, so that others get other times.
fn until_next_of_grid(parent: &str, last: Timestamp, interval: Duration) -> Duration {
    let width = interval.mul_f64(JITTER);
    let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    let (phase, width) = (nanoseconds(width.mul_f64(fraction(parent.bytes()))), nanoseconds(width).max(1));
    let since_point = (last.as_nanosecond() - phase).rem_euclid(width);
    Duration::from_nanos(u64::try_from(width - since_point).unwrap_or_default())
}

/// A number from 0 to 1 that depends only on the bytes.
fn fraction(seed: impl Iterator<Item = u8>) -> f64 {
    // FNV-1a: cheap, and spread well enough for this.
    let hash =
        seed.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    f64::from(u32::try_from(hash >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// How long to wait after the `failures`-th failure in a row, before jitter: 1 s, 2 s, 4 s ... 5 min.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    Duration::from_secs(1 << doublings).min(Duration::from_mins(5))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn meta() -> ObjectMeta {
        ObjectMeta { uid: Some("u1".into()), generation: Some(1), ..ObjectMeta::default() }
    }

    fn spec(policy: RefreshPolicy, interval: &str) -> ExternalSecretSpec {
        ExternalSecretSpec {
            refresh_policy: Some(policy),
            refresh_interval: Some(interval.parse().unwrap()),
            ..ExternalSecretSpec::default()
        }
    }

    fn synced(at: Timestamp) -> ExternalSecretStatus {
        ExternalSecretStatus {
            refresh_time: Some(Time(at)),
            synced_resource_version: Some(hash::synced_resource_version(&meta())),
            ..ExternalSecretStatus::default()
        }
    }

    fn decide(meta: &ObjectMeta, spec: &ExternalSecretSpec, target: TargetState, seconds: i64) -> Due {
        let (status, templates) = (synced(at(0)), TemplatesState::Same);
        due(Inputs { meta, spec, status: Some(&status), target, templates, token: None, now: at(seconds) })
    }

    #[rstest]
    #[case(RefreshPolicy::Periodic)]
    #[case(RefreshPolicy::OnChange)]
    #[case(RefreshPolicy::CreatedOnce)]
    fn what_was_never_synced_is_due(#[case] policy: RefreshPolicy) {
        let spec = spec(policy, "1h");
        let (meta, target, templates) = (meta(), TargetState::Changed, TemplatesState::Same);
        let inputs = Inputs { meta: &meta, spec: &spec, status: None, target, templates, token: None, now: at(0) };
        assert_eq!(due(inputs), Due::Now(Reason::First));
    }

    #[rstest]
    #[case(RefreshPolicy::Periodic, "1h", Due::Now(Reason::Changed))]
    #[case(RefreshPolicy::Periodic, "0", Due::Now(Reason::Changed))]
    #[case(RefreshPolicy::OnChange, "1h", Due::Now(Reason::Changed))]
    #[case(RefreshPolicy::CreatedOnce, "1h", Due::OnChange)]
    fn an_annotation_refreshes_at_once_unless_created_once(
        #[case] policy: RefreshPolicy,
        #[case] interval: &str,
        #[case] expected: Due,
    ) {
        let mut changed = meta();
        changed.annotations = Some([("force-sync".into(), "1".into())].into());
        assert_eq!(decide(&changed, &spec(policy, interval), TargetState::Intact, 1), expected);
    }

    #[rstest]
    #[case(RefreshPolicy::Periodic)]
    #[case(RefreshPolicy::OnChange)]
    #[case(RefreshPolicy::CreatedOnce)]
    fn a_changed_target_is_put_right_at_once(#[case] policy: RefreshPolicy) {
        assert_eq!(decide(&meta(), &spec(policy, "0"), TargetState::Changed, 1), Due::Now(Reason::TargetChanged));
    }

    #[rstest]
    #[case(RefreshPolicy::Periodic, Due::Now(Reason::TemplatesChanged))]
    #[case(RefreshPolicy::OnChange, Due::Now(Reason::TemplatesChanged))]
    #[case(RefreshPolicy::CreatedOnce, Due::OnChange)]
    fn changed_templates_are_rendered_at_once_unless_created_once(
        #[case] policy: RefreshPolicy,
        #[case] expected: Due,
    ) {
        let (meta, spec, status) = (meta(), spec(policy, "0"), synced(at(0)));
        let (target, templates) = (TargetState::Intact, TemplatesState::Changed);
        let inputs =
            Inputs { meta: &meta, spec: &spec, status: Some(&status), target, templates, token: None, now: at(1) };
        assert_eq!(due(inputs), expected);
    }

    #[test]
    fn an_interval_of_zero_means_once() {
        assert_eq!(decide(&meta(), &spec(RefreshPolicy::Periodic, "0"), TargetState::Intact, 9_999), Due::OnChange);
    }

    #[test]
    fn no_interval_means_an_hour() {
        let spec = ExternalSecretSpec::default();
        assert!(matches!(decide(&meta(), &spec, TargetState::Intact, 3_599), Due::At(_)));
        assert_eq!(decide(&meta(), &spec, TargetState::Intact, 3_781), Due::Now(Reason::Interval));
    }

    #[test]
    fn a_refresh_is_never_early_and_at_most_a_twentieth_late() {
        let spec = spec(RefreshPolicy::Periodic, "100s");
        let mut times = Vec::new();
        for object in 0..200 {
            let meta = ObjectMeta { uid: Some(format!("uid-{object}")), ..meta() };
            let Due::At(next) = decide(&meta, &spec, TargetState::Intact, 1) else { panic!("not due yet") };
            assert!(next >= at(100) && next <= at(105), "{next}");
            times.push(next);
        }
        times.sort();
        assert!(times[150].duration_since(times[50]).as_secs_f64() > 1.0, "they are spread");
    }

    fn child(parent: &str, uid: &str) -> ObjectMeta {
        let owner = serde_json::json!([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": parent,
            "uid": "u", "controller": true}]);
        ObjectMeta { uid: Some(uid.into()), owner_references: serde_json::from_value(owner).unwrap(), ..meta() }
    }

    /// When an object that was last refreshed this many seconds ago is refreshed again.
    fn next_of(meta: &ObjectMeta, interval: &str, last: i64) -> Timestamp {
        let spec = spec(RefreshPolicy::Periodic, interval);
        let (target, templates) = (TargetState::Intact, TemplatesState::Same);
        match periodic(
            Inputs { meta, spec: &spec, status: None, target, templates, token: None, now: at(last) },
            at(last),
        ) {
            Due::At(next) => next,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_external_secrets_of_a_cluster_external_secret_are_refreshed_together_and_never_early() {
        let mut times = std::collections::BTreeSet::new();
        for n in 0..400 {
            let last = n % 60;
            let next = next_of(&child("db", &n.to_string()), "1h", last);
            assert!(next >= at(last + 3600) && next <= at(last + 3780), "{next}");
            times.insert(next);
        }
        assert!(times.len() <= 2, "{times:?}");
        assert!(!times.contains(&next_of(&child("other", "1"), "1h", 0)), "another one has other times");
    }

    #[test]
    fn those_that_were_refreshed_together_stay_together() {
        let group: Vec<_> = (0..3).map(|n| child("db", &n.to_string())).collect();
        let mut last = 0;
        for _ in 0..50 {
            let next = next_of(&group[0], "1h", last);
            // The refreshes of a group take some seconds.
            let seconds = next.as_second() - at(0).as_second() + 1;
            let again: Vec<_> =
                (0..3).map(|n| next_of(&group[n], "1h", seconds + i64::try_from(n).unwrap() * 5)).collect();
            assert!(again.iter().all(|next| *next == again[0]), "{again:?}");
            last = seconds;
        }
    }

    #[test]
    fn however_they_began_there_are_at_most_21_groups_of_them() {
        let times: std::collections::BTreeSet<_> =
            (0..3600).map(|last| next_of(&child("db", "1"), "1h", last)).collect();
        assert!(times.len() <= 21, "{}", times.len());
    }

    #[test]
    fn a_clock_that_went_back_refreshes() {
        assert_eq!(
            decide(&meta(), &spec(RefreshPolicy::Periodic, "1h"), TargetState::Intact, -10),
            Due::Now(Reason::ClockWentBack)
        );
    }

    #[test]
    fn backoff_doubles_from_a_second_to_five_minutes() {
        assert_eq!([1, 2, 3, 9, 10, 1_000].map(|n| backoff(n).as_secs()), [1, 2, 4, 256, 300, 300]);
    }

    fn held_back(policy: RefreshPolicy) -> ExternalSecretSpec {
        // Open on the 13th day after 1970 and for ten more days, which includes the tests.
        let windows = serde_json::json!({"kind": "deny", "windows": [{"schedule": "0 0 12 1 *", "duration": "240h"}]});
        ExternalSecretSpec { sync_windows: serde_json::from_value(windows).unwrap(), ..spec(policy, "100s") }
    }

    #[test]
    fn no_interval_is_shorter_than_a_second() {
        let due = |now| {
            let spec = spec(RefreshPolicy::Periodic, "1ns");
            periodic(
                Inputs {
                    meta: &meta(),
                    spec: &spec,
                    status: None,
                    target: TargetState::Intact,
                    templates: TemplatesState::Same,
                    token: None,
                    now,
                },
                at(0),
            )
        };
        assert!(matches!(due(at(0)), Due::At(next) if next >= at(1)), "{:?}", due(at(0)));
        assert_eq!(due(at(2)), Due::Now(Reason::Interval));
    }

    #[test]
    fn windows_hold_a_periodic_refresh_back_until_they_allow_it() {
        let open: Timestamp = "1970-01-22T00:00:01Z".parse().unwrap();
        let spec = held_back(RefreshPolicy::Periodic);
        assert_eq!(decide(&meta(), &spec, TargetState::Intact, 200), Due::At(open));
        let after = open.as_second() - at(0).as_second();
        assert_eq!(decide(&meta(), &spec, TargetState::Intact, after), Due::Now(Reason::Interval));
    }

    fn with_token(spec: &ExternalSecretSpec, seconds: i64) -> Due {
        let (meta, status, target) = (meta(), synced(at(0)), TargetState::Intact);
        let token = Some(TokenLife { made: at(0), until: at(1200) });
        let templates = TemplatesState::Same;
        due(Inputs { meta: &meta, spec, status: Some(&status), target, templates, token, now: at(seconds) })
    }

    #[test]
    fn a_token_is_renewed_between_two_thirds_and_three_quarters_of_its_life() {
        let daily = spec(RefreshPolicy::Periodic, "24h");
        let Due::At(renewal) = with_token(&daily, 1) else { panic!("not due yet") };
        assert!(renewal >= at(800) && renewal <= at(900), "{renewal}");
        assert_eq!(with_token(&daily, 900), Due::Now(Reason::Expiry));
        assert!(matches!(with_token(&spec(RefreshPolicy::Periodic, "60s"), 1), Due::At(next) if next <= at(63)));
    }

    #[test]
    fn windows_do_not_hold_back_the_end_of_a_token() {
        assert_eq!(with_token(&held_back(RefreshPolicy::Periodic), 900), Due::Now(Reason::Expiry));
        assert!(matches!(with_token(&held_back(RefreshPolicy::Periodic), 200), Due::At(next) if next <= at(900)));
    }

    #[rstest]
    #[case(RefreshPolicy::Periodic, "0")]
    #[case(RefreshPolicy::OnChange, "1h")]
    #[case(RefreshPolicy::CreatedOnce, "1h")]
    fn a_token_that_is_requested_once_is_not_renewed(#[case] policy: RefreshPolicy, #[case] interval: &str) {
        assert_eq!(with_token(&spec(policy, interval), 5000), Due::OnChange);
    }

    #[test]
    fn a_token_that_expires_at_once_is_requested_once_per_second() {
        let (meta, spec, status) = (meta(), spec(RefreshPolicy::Periodic, "1h"), synced(at(100)));
        let token = Some(TokenLife { made: at(100), until: at(0) });
        let (target, templates) = (TargetState::Intact, TemplatesState::Same);
        let inputs = Inputs { meta: &meta, spec: &spec, status: Some(&status), target, templates, token, now: at(100) };
        assert_eq!(due(inputs), Due::At(at(101)));
    }

    #[test]
    fn windows_hold_nothing_else_back() {
        let spec = held_back(RefreshPolicy::Periodic);
        let mut changed = meta();
        changed.generation = Some(2);
        assert_eq!(decide(&changed, &spec, TargetState::Intact, 1), Due::Now(Reason::Changed));
        assert_eq!(decide(&meta(), &spec, TargetState::Changed, 1), Due::Now(Reason::TargetChanged));
        let (meta, target, templates) = (meta(), TargetState::Changed, TemplatesState::Same);
        let inputs = Inputs { meta: &meta, spec: &spec, status: None, target, templates, token: None, now: at(0) };
        assert_eq!(due(inputs), Due::Now(Reason::First));
        let on_change = held_back(RefreshPolicy::OnChange);
        assert_eq!(decide(&changed, &on_change, TargetState::Intact, 1), Due::Now(Reason::Changed));
    }
}
