//! `syncWindows`: the times at which periodic refreshes are allowed or held back.

use jiff::Timestamp;

use crate::api::v1::external_secret::{SyncWindow, SyncWindowKind, SyncWindows};
use crate::api::{Schedule, limits};

/// The most adjoining windows that one call follows. The caller asks again at the end found so far.
const MAX_STEPS: usize = 20;

/// Whether a periodic refresh is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Now,
    /// Not before this time.
    NotBefore(Timestamp),
    /// Not at any known time.
    Never,
}

/// Whether the windows allow a periodic refresh at `now`. A window opens at each time of its schedule and stays open
/// for its duration, including the end; windows may overlap. As in ESO, a window with an invalid schedule is never
/// open. Neither is one with `@every`, unless it stays open until it opens again.
#[must_use]
pub fn permit(windows: Option<&SyncWindows>, now: Timestamp) -> Permit {
    let Some(windows) = windows.filter(|windows| !windows.windows.is_empty()) else { return Permit::Now };
    // An ExternalSecret with more is rejected earlier.
    let all: Vec<Window> = windows.windows.iter().take(limits::WINDOWS).filter_map(Window::of).collect();
    match windows.kind {
        SyncWindowKind::Allow if all.iter().any(|window| window.end(now).is_some()) => Permit::Now,
        SyncWindowKind::Allow => {
            all.iter().filter_map(|window| window.next(now)).min().map_or(Permit::Never, Permit::NotBefore)
        }
        SyncWindowKind::Deny => outside(&all, now),
    }
}

/// The first time at or after `now` at which no window is open.
fn outside(windows: &[Window], now: Timestamp) -> Permit {
    let mut time = now;
    for _ in 0..MAX_STEPS {
        let mut ends = windows.iter().filter_map(|window| window.end(time));
        let Some(first) = ends.next() else { break };
        let last = ends.fold(first, std::cmp::max);
        let End::At(end) = last else { return Permit::Never };
        let Ok(after) = end.checked_add(jiff::SignedDuration::from_secs(1)) else { return Permit::Never };
        time = after;
    }
    if time == now { Permit::Now } else { Permit::NotBefore(time) }
}

/// A window with a valid schedule.
struct Window {
    schedule: Schedule,
    duration: jiff::SignedDuration,
}

/// When an open window closes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    At(Timestamp),
    Never,
}

impl Window {
    fn of(window: &SyncWindow) -> Option<Self> {
        let duration = jiff::SignedDuration::from_nanos(window.duration.nanoseconds());
        let schedule = window.schedule.parse().ok()?;
        (!duration.is_negative()).then_some(Self { schedule, duration })
    }

    /// When the window closes, if it is open at `time` and not open again by then.
    fn end(&self, time: Timestamp) -> Option<End> {
        let fields = match &self.schedule {
            Schedule::Every(pause) => {
                return Schedule::overlaps(*pause, self.duration.unsigned_abs()).then_some(End::Never);
            }
            Schedule::At(fields) => fields,
        };
        let opened = fields.first_within(time.checked_sub(self.duration).ok()?, time)?;
        Some(opened.checked_add(self.duration).map_or(End::Never, End::At))
    }

    /// When the window opens next.
    fn next(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.schedule {
            Schedule::At(fields) => fields.first_from(time),
            Schedule::Every(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn permitted(kind: &str, windows: &[(&str, &str)], now: &str) -> Permit {
        let windows: Vec<_> =
            windows.iter().map(|(schedule, duration)| json!({"schedule": schedule, "duration": duration})).collect();
        let windows: SyncWindows = serde_json::from_value(json!({"kind": kind, "windows": windows})).unwrap();
        permit(Some(&windows), now.parse().unwrap())
    }

    fn not_before(time: &str) -> Permit {
        Permit::NotBefore(time.parse().unwrap())
    }

    #[test]
    fn without_windows_every_time_will_do() {
        assert_eq!(permit(None, Timestamp::UNIX_EPOCH), Permit::Now);
    }

    const NIGHT: [(&str, &str); 1] = [("0 22 * * *", "8h")];

    #[rstest]
    #[case("2026-01-01T21:59:59Z", not_before("2026-01-01T22:00:00Z"))]
    #[case("2026-01-01T22:00:00Z", Permit::Now)]
    #[case("2026-01-02T03:00:00Z", Permit::Now)]
    #[case("2026-01-02T06:00:00Z", Permit::Now)]
    #[case("2026-01-02T06:00:01Z", not_before("2026-01-02T22:00:00Z"))]
    fn allow_waits_for_a_window(#[case] now: &str, #[case] expected: Permit) {
        assert_eq!(permitted("allow", &NIGHT, now), expected);
    }

    #[rstest]
    #[case("2026-01-01T21:59:59Z", Permit::Now)]
    #[case("2026-01-01T22:00:00Z", not_before("2026-01-02T06:00:01Z"))]
    #[case("2026-01-02T06:00:01Z", Permit::Now)]
    fn deny_waits_for_the_end_of_the_window(#[case] now: &str, #[case] expected: Permit) {
        assert_eq!(permitted("deny", &NIGHT, now), expected);
    }

    #[test]
    fn windows_that_overlap_or_follow_one_another_hold_back_together() {
        let windows = [("0 1 * * *", "2h"), ("0 2 * * *", "90m"), ("30 3 * * *", "10m"), ("0 5 * * *", "1h")];
        assert_eq!(permitted("deny", &windows, "2026-01-01T01:30:00Z"), not_before("2026-01-01T03:40:01Z"));
        assert_eq!(permitted("allow", &windows, "2026-01-01T03:35:00Z"), Permit::Now);
        assert_eq!(permitted("allow", &windows, "2026-01-01T03:45:00Z"), not_before("2026-01-01T05:00:00Z"));
    }

    #[test]
    fn a_window_that_opens_again_before_it_closes_is_looked_at_again_later() {
        let Permit::NotBefore(time) = permitted("deny", &[("* * * * *", "10m")], "2026-01-01T00:00:00Z") else {
            panic!("it is held back")
        };
        assert!(time > "2026-01-01T00:10:00Z".parse().unwrap());
    }

    #[rstest]
    #[case("@every 1h", "1h", true)]
    #[case("@every 1h", "2h", true)]
    #[case("@every 1h", "59m", false)]
    fn every_is_open_always_or_never(#[case] schedule: &str, #[case] duration: &str, #[case] open: bool) {
        let windows = [(schedule, duration)];
        let now = "2026-01-01T00:00:30Z";
        let (inside, outside) = if open { (Permit::Now, Permit::Never) } else { (Permit::Never, Permit::Now) };
        assert_eq!((permitted("allow", &windows, now), permitted("deny", &windows, now)), (inside, outside));
    }

    #[test]
    fn a_window_that_cannot_be_read_is_never_open() {
        let windows = [("61 * * * *", "1h"), ("0 1 * * *", "1h")];
        assert_eq!(permitted("allow", &windows, "2026-01-01T01:30:00Z"), Permit::Now);
        assert_eq!(permitted("deny", &windows[..1], "2026-01-01T01:30:00Z"), Permit::Now);
        assert_eq!(permitted("allow", &windows[..1], "2026-01-01T01:30:00Z"), Permit::Never);
        assert_eq!(permitted("deny", &[("* * * * *", "-1h")], "2026-01-01T01:30:00Z"), Permit::Now);
        assert_ne!(permitted("deny", &[("* * * * *", "100000h")], "2026-01-01T01:30:00Z"), Permit::Now);
    }

    #[test]
    fn a_schedule_without_a_day_never_comes_and_a_rare_one_does() {
        let windows = [("0 0 , * *", "1h"), ("0 0 29 2 *", "24h")];
        assert_eq!(permitted("allow", &windows[..1], "2026-01-01T00:00:00Z"), Permit::Never);
        assert_eq!(permitted("allow", &windows, "2026-01-01T00:00:00Z"), not_before("2028-02-29T00:00:00Z"));
        assert_eq!(permitted("deny", &windows, "2028-02-29T12:00:00Z"), not_before("2028-03-01T00:00:01Z"));
        assert_eq!(permitted("deny", &windows, "2028-03-01T00:00:01Z"), Permit::Now);
    }
}
