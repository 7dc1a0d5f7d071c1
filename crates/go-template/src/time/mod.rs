//! Go's `time`, as far as templates use it. The local time zone is UTC.

mod calendar;
mod duration;
mod formatting;
mod layout;
mod methods;
mod parsing;
mod zone;

use jiff::Timestamp;

pub(super) use duration::{NANOSECONDS, parse_duration, print_duration, rounded};
pub(super) use methods::integer_member;
pub(super) use zone::Zone;

use super::value::{Type, Value};
use calendar::Date;

/// The names of the months and weekdays.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const SECONDS_PER_DAY: i64 = 86_400;

/// A `time.Time`.
#[derive(Clone)]
pub(super) struct Time {
    /// Seconds since 1970.
    seconds: i64,
    nanoseconds: u32,
    zone: Zone,
}

/// A date and a time of day in a zone.
struct Civil {
    date: Date,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Time {
    pub(super) const TYPE: Type = Type::Object("time.Time");

    pub(super) fn new(now: Timestamp) -> Self {
        // Seconds and nanoseconds have the same sign.
        let (seconds, nanoseconds) = (now.as_second(), i64::from(now.subsec_nanosecond()));
        Self::from_parts(seconds, nanoseconds, Zone::Utc)
    }

    /// This many seconds after 1970.
    pub(super) const fn from_unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0, zone: Zone::Utc }
    }

    /// The first second of the year 1, which is Go's zero time.
    pub(super) const fn zero() -> Self {
        Self::from_unix(-62_135_596_800)
    }

    /// From seconds and nanoseconds, which may be negative or more than a second.
    fn from_parts(seconds: i64, nanoseconds: i64, zone: Zone) -> Self {
        Self {
            seconds: seconds.wrapping_add(nanoseconds.div_euclid(NANOSECONDS)),
            nanoseconds: u32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).unwrap_or(0),
            zone,
        }
    }

    pub(super) const fn unix(&self) -> i64 {
        self.seconds
    }

    /// The same time in another zone.
    pub(super) fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..*self }
    }

    /// The time this many nanoseconds later.
    pub(super) fn after(&self, nanoseconds: i64) -> Self {
        let seconds = self.seconds.wrapping_add(nanoseconds.div_euclid(NANOSECONDS));
        Self::from_parts(seconds, i64::from(self.nanoseconds) + nanoseconds.rem_euclid(NANOSECONDS), self.zone.clone())
    }

    /// The nanoseconds since another time; the nearest integer if out of range.
    pub(super) fn since(&self, other: &Self) -> i64 {
        let nanoseconds =
            |time: &Self| i128::from(time.seconds) * i128::from(NANOSECONDS) + i128::from(time.nanoseconds);
        let difference = nanoseconds(self) - nanoseconds(other);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    /// The zone's name, and how many seconds its clocks are ahead.
    fn zone_info(&self) -> (String, i64) {
        self.zone.info(self.seconds)
    }

    fn civil(&self) -> Civil {
        let (_, offset) = self.zone_info();
        let local = self.seconds.saturating_add(offset);
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY);
        Civil {
            date: Date::from_days(local.div_euclid(SECONDS_PER_DAY)),
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    /// The time as a value.
    pub(super) fn value(self) -> Value {
        Value::object(self)
    }
}

/// The name of a month, counted from 1.
pub(super) fn month_name(month: i64) -> String {
    name(&MONTHS, month.wrapping_sub(1)).map_or_else(|| format!("%!Month({})", unsigned(month)), ToOwned::to_owned)
}

/// The name of a weekday, counted from 0.
pub(super) fn weekday_name(day: i64) -> String {
    name(&WEEKDAYS, day).map_or_else(|| format!("%!Weekday({})", unsigned(day)), ToOwned::to_owned)
}

fn name(names: &[&'static str], index: i64) -> Option<&'static str> {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied()
}

#[allow(clippy::cast_sign_loss, reason = "as Go prints it")]
const fn unsigned(number: i64) -> u64 {
    number as u64
}
