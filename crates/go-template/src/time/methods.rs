//! The methods of times, durations, months and weekdays.

use std::cmp::Ordering;

use super::calendar::Date;
use super::duration::{NANOSECONDS, print_duration, rounded};
use super::{SECONDS_PER_DAY, Time, Zone, month_name, weekday_name};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Int, Member, Object, Text, Type, Value};

type Result = std::result::Result<Value, FunctionError>;

const DURATION: Type = Type::Int(Int::Duration);

/// A method without parameters.
macro_rules! method {
    ($body:expr) => {
        Function::fixed(&[], |arguments: &[Value], _: &mut Call<'_>| {
            let [time] = arguments else { return Err(no_method()) };
            let body: fn(&Time) -> Value = $body;
            Ok(body(receiver(time)?))
        })
    };
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn text(&self) -> Text {
        Text::from(self.print().as_str())
    }

    fn plain(&self) -> Value {
        Value::string(&self.format_short(b"2006-01-02T15:04:05.999999999Z07:00"))
    }

    fn member(&self, name: &[u8]) -> Option<Member> {
        time_method(name).map(Member::Method)
    }
}

fn time_method(name: &[u8]) -> Option<Function> {
    Some(match name {
        b"Year" => method!(|time| Value::int(time.civil().date.year)),
        b"Month" => method!(|time| Value::Int(Int::Month, time.civil().date.month)),
        b"Day" => method!(|time| Value::int(time.civil().date.day)),
        b"YearDay" => method!(|time| Value::int(time.civil().date.day_of_year())),
        b"Weekday" => method!(|time| Value::Int(Int::Weekday, time.civil().date.weekday())),
        b"Hour" => method!(|time| Value::int(time.civil().hour)),
        b"Minute" => method!(|time| Value::int(time.civil().minute)),
        b"Second" => method!(|time| Value::int(time.civil().second)),
        b"Nanosecond" => method!(|time| Value::int(time.nanoseconds.into())),
        b"Unix" => method!(|time| int64(time.seconds)),
        b"UnixMilli" => method!(|time| int64(time.unix_in(1000))),
        b"UnixMicro" => method!(|time| int64(time.unix_in(1_000_000))),
        b"UnixNano" => method!(|time| int64(time.unix_in(NANOSECONDS))),
        b"IsZero" => method!(|time| Value::Bool(time.since(&Time::zero()) == 0)),
        b"String" => method!(|time| Value::string(&time.print())),
        b"UTC" | b"Local" => method!(|time| time.in_zone(Zone::Utc).value()),
        b"Format" => Function::fixed(&[Type::String], |arguments, call| {
            let [time, Value::String(layout)] = arguments else { return Err(no_method()) };
            Ok(Value::String(receiver(time)?.format(layout, call.budget)?))
        }),
        b"Add" => Function::fixed(&[DURATION], |arguments, _| {
            let [time, Value::Int(_, duration)] = arguments else { return Err(no_method()) };
            Ok(receiver(time)?.after(*duration).value())
        }),
        b"AddDate" => Function::fixed(&[Type::INT, Type::INT, Type::INT], add_date),
        b"Sub" => Function::fixed(&[Time::TYPE], |arguments, _| {
            two(arguments).map(|(a, b)| Value::Int(Int::Duration, a.since(b)))
        }),
        b"Before" => Function::fixed(&[Time::TYPE], |arguments, _| {
            two(arguments).map(|(a, b)| Value::Bool(a.compare(b) == Ordering::Less))
        }),
        b"After" => Function::fixed(&[Time::TYPE], |arguments, _| {
            two(arguments).map(|(a, b)| Value::Bool(a.compare(b) == Ordering::Greater))
        }),
        b"Equal" => Function::fixed(&[Time::TYPE], |arguments, _| {
            two(arguments).map(|(a, b)| Value::Bool(a.compare(b) == Ordering::Equal))
        }),
        _ => return None,
    })
}

fn no_method() -> FunctionError {
    FunctionError::new("the method is not called on a time")
}

fn receiver(value: &Value) -> std::result::Result<&Time, FunctionError> {
    value.downcast().ok_or_else(no_method)
}

fn two(arguments: &[Value]) -> std::result::Result<(&Time, &Time), FunctionError> {
    match arguments {
        [a, b] => Ok((receiver(a)?, receiver(b)?)),
        _ => Err(no_method()),
    }
}

const fn int64(number: i64) -> Value {
    Value::Int(Int::Int64, number)
}

/// This many years, months and days later.
fn add_date(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [time, Value::Int(_, years), Value::Int(_, months), Value::Int(_, days)] = arguments else {
        return Err(no_method());
    };
    let time = receiver(time)?;
    let date = time.civil().date;
    // Years beyond any calendar; more would overflow.
    let bounded = |number: i64| number.clamp(-1_000_000_000, 1_000_000_000);
    let later = Date {
        year: date.year.saturating_add(bounded(*years)),
        month: date.month + bounded(*months),
        day: date.day + bounded(*days),
    };
    let (_, offset) = time.zone_info();
    let second_of_day = time.seconds.saturating_add(offset).rem_euclid(SECONDS_PER_DAY);
    let local = later.days().saturating_mul(SECONDS_PER_DAY).saturating_add(second_of_day);
    Ok(time.at_local(local).value())
}

impl Time {
    /// The time at which clocks in its zone show `local`.
    fn at_local(&self, local: i64) -> Self {
        // The offset may differ before and after a change of the clocks.
        let (_, guess) = self.zone.info(local);
        let (_, offset) = self.zone.info(local.saturating_sub(guess));
        Self { seconds: local.saturating_sub(offset), ..self.clone() }
    }

    /// The time since 1970 in units of 1/`units` seconds.
    fn unix_in(&self, units: i64) -> i64 {
        let fraction = i64::from(self.nanoseconds) / (NANOSECONDS / units);
        self.seconds.wrapping_mul(units).wrapping_add(fraction)
    }

    fn compare(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }
}

/// A method of a duration, a month or a weekday.
pub(crate) fn integer_member(kind: Int, name: &[u8]) -> Option<Member> {
    Some(Member::Method(match (kind, name) {
        (Int::Duration, b"String") => {
            Function::fixed(&[], |duration, _| on(duration, |n| Value::string(&print_duration(n))))
        }
        (Int::Duration, b"Hours") => Function::fixed(&[], |duration, _| on(duration, |n| in_units(n, 3600))),
        (Int::Duration, b"Minutes") => Function::fixed(&[], |duration, _| on(duration, |n| in_units(n, 60))),
        (Int::Duration, b"Seconds") => Function::fixed(&[], |duration, _| on(duration, |n| in_units(n, 1))),
        (Int::Duration, b"Milliseconds") => Function::fixed(&[], |duration, _| on(duration, |n| int64(n / 1_000_000))),
        (Int::Duration, b"Microseconds") => Function::fixed(&[], |duration, _| on(duration, |n| int64(n / 1000))),
        (Int::Duration, b"Nanoseconds") => Function::fixed(&[], |duration, _| on(duration, int64)),
        (Int::Duration, b"Round") => Function::fixed(&[DURATION], |arguments, _| {
            let [Value::Int(_, duration), Value::Int(_, unit)] = arguments else { return Err(no_method()) };
            Ok(Value::Int(Int::Duration, rounded(*duration, *unit)))
        }),
        (Int::Month, b"String") => Function::fixed(&[], |month, _| on(month, |n| Value::string(&month_name(n)))),
        (Int::Weekday, b"String") => Function::fixed(&[], |day, _| on(day, |n| Value::string(&weekday_name(n)))),
        _ => return None,
    }))
}

fn on(arguments: &[Value], body: fn(i64) -> Value) -> Result {
    match arguments {
        [Value::Int(_, number)] => Ok(body(*number)),
        _ => Err(no_method()),
    }
}

/// Nanoseconds in units of this many seconds.
#[allow(clippy::cast_precision_loss, reason = "fewer than 2^53 seconds; a fraction of one")]
fn in_units(nanoseconds: i64, seconds: i64) -> Value {
    let unit = seconds * NANOSECONDS;
    Value::Float((nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64)
}
