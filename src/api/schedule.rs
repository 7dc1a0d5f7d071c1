//! Recurring times: cron's five fields and `@` descriptors in UTC, read as by the Go library
//! `github.com/robfig/cron/v3`, which ESO 2.9.0 uses.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::GoDuration;

/// How many years are searched for a time that matches all fields.
const MAX_YEARS: i16 = 5;

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At the minutes that match all fields.
    At(Fields),
    /// `@every`: always this long after the time in question, so never at a fixed time.
    Every(Duration),
}

/// The matching values, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether one of the two day fields is `*`. If so, both must match; otherwise one suffices.
    any_day: bool,
}

/// A text that is not a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a schedule; write five cron fields, such as \"0 22 * * 1-5\", or a descriptor, such as @daily or @every 1h"
)]
pub struct InvalidSchedule;

impl Schedule {
    /// Whether a window that opens every `pause` and stays open for `duration` is always open. It opens at no definite
    /// time, so otherwise it never is.
    #[must_use]
    pub fn overlaps(pause: Duration, duration: Duration) -> bool {
        duration >= pause.saturating_sub(Duration::from_secs(1))
    }
}

impl std::str::FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => match text.strip_prefix("@every ") {
                Some(duration) => return every(duration),
                None => text,
            },
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return Err(InvalidSchedule) };
        let (days, any_day) = field(days, 1, 31, &[])?;
        let (weekdays, any_weekday) = field(weekdays, 0, 6, &WEEKDAYS)?;
        Ok(Self::At(Fields {
            minutes: field(minutes, 0, 59, &[])?.0,
            hours: field(hours, 0, 23, &[])?.0,
            days,
            months: field(months, 1, 12, &MONTHS)?.0,
            weekdays,
            any_day: any_day || any_weekday,
        }))
    }
}

fn every(duration: &str) -> Result<Schedule, InvalidSchedule> {
    let duration: GoDuration = duration.parse().map_err(|_| InvalidSchedule)?;
    let seconds = duration.positive().unwrap_or_default().as_secs().max(1);
    Ok(Schedule::Every(Duration::from_secs(seconds)))
}

/// Names of values; the first stands for the field's `min`.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Parses a field. Returns the matching values, and whether all values match.
fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Result<(u64, bool), InvalidSchedule> {
    let mut fits = (0, false);
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (bits, any) = range_of(range, min, max, names)?;
        fits = (fits.0 | bits, fits.1 | any);
    }
    Ok(fits)
}

/// Parses `*`, `n` or `n-m`, each with an optional `/step`. `n/step` means from n on.
fn range_of(text: &str, min: u32, max: u32, names: &[&str]) -> Result<(u64, bool), InvalidSchedule> {
    let value = |text: &str| match names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        Some(index) => u32::try_from(index).map(|index| index + min).map_err(|_| InvalidSchedule),
        None => text.parse().map_err(|_| InvalidSchedule),
    };
    let (range, step) = text.split_once('/').map_or((text, None), |(range, step)| (range, Some(step)));
    let is_any = matches!(range, "*" | "?");
    let (start, end) = match range.split_once('-') {
        _ if is_any => (min, max),
        Some((start, end)) => (value(start)?, value(end)?),
        None if step.is_some() => (value(range)?, max),
        None => (value(range)?, value(range)?),
    };
    let step: u32 = step.map_or(Ok(1), |step| step.parse().map_err(|_| InvalidSchedule))?;
    if start < min || end > max || start > end || step == 0 {
        return Err(InvalidSchedule);
    }
    let values = (start..=end).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    Ok((values.fold(0, |bits, value| bits | 1 << value), is_any && step == 1))
}

impl Fields {
    /// The first time at or after `from`; `None` if there is none for years.
    #[must_use]
    pub fn first_from(&self, from: Timestamp) -> Option<Timestamp> {
        let last_year = TimeZone::UTC.to_datetime(from).year().saturating_add(MAX_YEARS);
        self.first(from, Date::new(last_year, 12, 31).unwrap_or(Date::MAX))
    }

    /// The first time between `from` and `to`, inclusive.
    #[must_use]
    pub fn first_within(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let last = TimeZone::UTC.to_datetime(to).date();
        self.first(from, last).filter(|first| *first <= to)
    }

    /// The first time between `from` and the end of `last`, at most `MAX_YEARS` later. Checks day after day, but skips
    /// months that do not match, so that it checks a few hundred at most.
    fn first(&self, from: Timestamp, last: Date) -> Option<Timestamp> {
        let from = TimeZone::UTC.to_datetime(from);
        let mut date = from.date();
        let first = self.time_from(from.time());
        if let Some(time) = first.filter(|_| self.fits(date)) {
            return timestamp(date, time);
        }
        let time = self.time_from(Time::midnight())?;
        if self.fits_no_day() {
            return None;
        }
        let last_year = date.year().saturating_add(MAX_YEARS);
        loop {
            let next = if has(self.months, date.month()) { date } else { date.last_of_month() };
            date = next.tomorrow().ok().filter(|date| *date <= last && date.year() <= last_year)?;
            if self.fits(date) {
                return timestamp(date, time);
            }
        }
    }

    /// Whether a day field is empty, as `,` is, so that no day matches.
    const fn fits_no_day(&self) -> bool {
        let (days, weekdays) = (self.days != 0, self.weekdays != 0);
        !(if self.any_day { days && weekdays } else { days || weekdays })
    }

    fn fits(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month()) && if self.any_day { day && weekday } else { day || weekday }
    }

    /// The first time on a day at or after `from`.
    fn time_from(&self, from: Time) -> Option<Time> {
        let is_whole = from.second() == 0 && from.subsec_nanosecond() == 0;
        let first_minute = if is_whole { from.minute() } else { from.minute() + 1 };
        let first = |bits: u64, from: i8, end: i8| (from..end).find(|&value| has(bits, value));
        if has(self.hours, from.hour())
            && let Some(minute) = first(self.minutes, first_minute, 60)
        {
            return Time::new(from.hour(), minute, 0, 0).ok();
        }
        let hour = first(self.hours, from.hour() + 1, 24)?;
        Time::new(hour, first(self.minutes, 0, 60)?, 0, 0).ok()
    }
}

fn has(bits: u64, value: i8) -> bool {
    bits & (1 << value) != 0
}

fn timestamp(date: Date, time: Time) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(DateTime::from_parts(date, time)).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // The times that github.com/robfig/cron/v3 returns.
    #[rstest]
    #[case("* * * * *", "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"))]
    #[case("* * * * *", "2026-01-01T00:00:00.000000001Z", Some("2026-01-01T00:01:00Z"))]
    #[case("0 22 * * 1-5", "2026-11-20T22:00:01Z", Some("2026-11-23T22:00:00Z"))]
    #[case("0 22 * * MON-fri", "2026-11-20T21:00:00Z", Some("2026-11-20T22:00:00Z"))]
    #[case("30 23 31 12 ?", "2026-12-31T23:30:01Z", Some("2027-12-31T23:30:00Z"))]
    #[case("59 23 * * *", "2026-12-31T23:59:30Z", Some("2027-01-01T23:59:00Z"))]
    #[case("*/20 6-8/2 * * *", "2026-01-01T06:41:00Z", Some("2026-01-01T08:00:00Z"))]
    #[case("50/5 * * * *", "2026-01-01T06:41:00Z", Some("2026-01-01T06:50:00Z"))]
    #[case("0 0 29 feb *", "2026-03-01T00:00:00Z", Some("2028-02-29T00:00:00Z"))]
    #[case("0 0 30 2 *", "2026-03-01T00:00:00Z", None)]
    #[case("0 0 13 * 5", "2026-02-01T00:00:00Z", Some("2026-02-06T00:00:00Z"))]
    #[case("0 0 13 * */1", "2026-02-01T00:00:00Z", Some("2026-02-13T00:00:00Z"))]
    #[case("0 0 */2 * 5", "2026-02-02T00:00:00Z", Some("2026-02-03T00:00:00Z"))]
    #[case("@weekly", "2026-11-23T00:00:00Z", Some("2026-11-29T00:00:00Z"))]
    #[case("@yearly", "2026-11-23T00:00:00Z", Some("2027-01-01T00:00:00Z"))]
    #[case("0,15 1,3 , * *", "2026-11-23T00:00:00Z", None)]
    fn the_first_time_is_the_first_that_fits_all_fields(
        #[case] schedule: &str,
        #[case] from: Timestamp,
        #[case] expected: Option<&str>,
    ) {
        let Schedule::At(fields) = schedule.parse().unwrap() else { panic!("it has fields") };
        let expected = expected.map(|time| time.parse::<Timestamp>().unwrap());
        assert_eq!(fields.first_from(from), expected);
    }

    #[rstest]
    #[case("@every 1h30m", 5400)]
    #[case("@every 1500ms", 1)]
    #[case("@every 1ms", 1)]
    #[case("@every -5s", 1)]
    fn every_is_in_whole_seconds(#[case] schedule: &str, #[case] seconds: u64) {
        assert_eq!(schedule.parse(), Ok(Schedule::Every(Duration::from_secs(seconds))));
    }

    #[rstest]
    fn an_invalid_schedule_is_refused(
        #[values(
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "1-2-3 * * * *",
            "-1 * * * *",
            "x * * * *",
            "jan * * * *",
            "@every",
            "@every soon",
            "@never",
            "*/99999999999 * * * *"
        )]
        schedule: &str,
    ) {
        assert_eq!(schedule.parse::<Schedule>(), Err(InvalidSchedule));
    }
}
