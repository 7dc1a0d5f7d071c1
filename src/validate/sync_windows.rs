//! Checks of `syncWindows`. ESO accepts a window that never opens, so it is not an error.

use super::Problem;
use crate::api::Schedule;
use crate::api::v1::external_secret::{ExternalSecretSpec, RefreshPolicy, SyncWindow};

/// Windows that never open, and windows that have no effect.
pub(super) fn warnings(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let Some(windows) = &spec.sync_windows else { return Vec::new() };
    let mut warnings = Vec::new();
    if !matches!(spec.refresh_policy, None | Some(RefreshPolicy::Periodic)) {
        let problem = "has no effect: it holds back periodic refreshes alone, and refreshPolicy is not Periodic";
        warnings.push(Problem::new("spec.syncWindows", problem));
    }
    let never = windows.windows.iter().enumerate().filter_map(|(index, window)| {
        let (field, problem) = why_never_open(window)?;
        Some(Problem::new(format!("spec.syncWindows.windows[{index}].{field}"), problem))
    });
    warnings.extend(never);
    warnings
}

/// The field that keeps a window from ever opening, and why.
fn why_never_open(window: &SyncWindow) -> Option<(&'static str, String)> {
    let schedule = match window.schedule.parse::<Schedule>() {
        Ok(schedule) => schedule,
        Err(error) => return Some(("schedule", format!("{error}; as it stands, the window never opens"))),
    };
    let Some(duration) = window.duration.positive() else {
        return Some(("duration", "the window is never open; give it a duration, such as 8h".to_owned()));
    };
    match schedule {
        Schedule::Every(pause) if !Schedule::overlaps(pause, duration) => {
            let problem = "with @every a window never opens, as in ESO; write cron fields, such as \"0 */6 * * *\"";
            Some(("schedule", problem.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn warned(refresh_policy: &str, schedule: &str, duration: &str) -> Vec<String> {
        let spec = json!({
            "refreshPolicy": refresh_policy,
            "syncWindows": {"kind": "deny", "windows": [{"schedule": schedule, "duration": duration}]},
        });
        let spec: ExternalSecretSpec = serde_json::from_value(spec).unwrap();
        warnings(&spec).iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case("0 22 * * 1-5", "8h")]
    #[case("@daily", "1h")]
    #[case::open_for_ever("@every 1h", "1h")]
    fn a_window_that_opens_is_not_warned_of(#[case] schedule: &str, #[case] duration: &str) {
        assert_eq!(warned("Periodic", schedule, duration), Vec::<String>::new());
    }

    #[rstest]
    #[case("0 25 * * *", "8h", "spec.syncWindows.windows[0].schedule: it is not a schedule")]
    #[case("@every 6h", "1h", "spec.syncWindows.windows[0].schedule: with @every a window never opens")]
    #[case("@daily", "0s", "spec.syncWindows.windows[0].duration: the window is never open")]
    fn a_window_that_never_opens_is_warned_of(#[case] schedule: &str, #[case] duration: &str, #[case] begin: &str) {
        let warnings = warned("Periodic", schedule, duration);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(begin), "{warnings:?}");
    }

    #[test]
    fn windows_of_what_is_not_refreshed_periodically_are_warned_of() {
        let warnings = warned("OnChange", "@daily", "1h");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("spec.syncWindows: has no effect"), "{warnings:?}");
    }
}
