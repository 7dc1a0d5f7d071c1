//! Dates and durations. The local time zone is UTC.

use super::convert::argument;
use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError, VolatileCall};
use crate::time::{NANOSECONDS, Time, Zone, parse_duration, print_duration, rounded};
use crate::value::{Int, Type, Value};

const TEXT: Type = Type::String;
const DATE_IN_ZONE: Function = Function::volatile(&[TEXT, Type::Any, TEXT], |arguments, call| {
    let [Value::String(layout), date, Value::String(zone)] = arguments else { return Err(mismatch()) };
    format_date(layout, date, zone, call)
});
const DATE_MODIFY: Function = Function::fixed(&[TEXT, Time::TYPE], date_modify);
const MUST_DATE_MODIFY: Function = Function::fixed(&[TEXT, Time::TYPE], must_date_modify);

pub(super) const TABLE: Table = &[
    ("ago", Function::volatile(&[Type::Any], ago)),
    (
        "date",
        Function::volatile(&[TEXT, Type::Any], |arguments, call| {
            let [Value::String(layout), date] = arguments else { return Err(mismatch()) };
            format_date(layout, date, b"UTC", call)
        }),
    ),
    ("dateInZone", DATE_IN_ZONE),
    ("dateModify", DATE_MODIFY),
    ("date_in_zone", DATE_IN_ZONE),
    ("date_modify", DATE_MODIFY),
    ("duration", Function::fixed(&[Type::Any], duration)),
    ("durationRound", Function::volatile(&[Type::Any], duration_round)),
    (
        "htmlDate",
        Function::volatile(&[Type::Any], |arguments, call| format_date(HTML_DATE, argument(arguments)?, b"UTC", call)),
    ),
    (
        "htmlDateInZone",
        Function::volatile(&[Type::Any, TEXT], |arguments, call| {
            let [date, Value::String(zone)] = arguments else { return Err(mismatch()) };
            format_date(HTML_DATE, date, zone, call)
        }),
    ),
    ("mustDateModify", MUST_DATE_MODIFY),
    ("mustToDate", Function::fixed(&[TEXT, TEXT], must_to_date)),
    ("must_date_modify", MUST_DATE_MODIFY),
    ("now", Function::volatile(&[], |_, call| Ok(Time::new(call.now()).value()))),
    ("toDate", Function::fixed(&[TEXT, TEXT], to_date)),
    (
        "unixEpoch",
        Function::fixed(&[Time::TYPE], |arguments, _| {
            Ok(Value::string(&time(argument(arguments)?)?.unix().to_string()))
        }),
    ),
];

/// Steps for reading the data of a time zone.
const ZONE_STEPS: usize = 50;

/// The date format of HTML input fields.
const HTML_DATE: &[u8] = b"2006-01-02";

fn time(value: &Value) -> Result<&Time> {
    value.downcast().ok_or_else(mismatch)
}

/// Formats a time, or a number of seconds since 1970; anything else means now.
fn format_date(layout: &[u8], date: &Value, zone: &[u8], call: &mut VolatileCall<'_>) -> Result {
    let time = match date {
        Value::Int(Int::Int | Int::Int32 | Int::Int64, seconds) => Time::from_unix(*seconds),
        other => other.downcast().cloned().unwrap_or_else(|| Time::new(call.now())),
    };
    // The data of a zone is read each time.
    call.budget.steps(ZONE_STEPS)?;
    // An unknown zone means UTC.
    let time = time.in_zone(Zone::named(zone).unwrap_or(Zone::Utc));
    Ok(Value::String(time.format(layout, call.budget)?))
}

/// Replaces an error by another value, unless a limit was exceeded.
fn or_else(result: Result, otherwise: impl FnOnce() -> Value) -> Result {
    match result {
        Err(FunctionError::Failed(_)) => Ok(otherwise()),
        other => other,
    }
}

/// The time moved by a duration; unchanged if it is not a duration.
fn date_modify(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [_, date] = arguments else { return Err(mismatch()) };
    or_else(must_date_modify(arguments, call), || date.clone())
}

fn must_date_modify(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(duration), date] = arguments else { return Err(mismatch()) };
    let duration = parse_duration(duration).map_err(|error| FunctionError::new(error.to_string()))?;
    Ok(time(date)?.after(duration).value())
}

/// Parses a time; the zero time if it does not match the layout.
fn to_date(arguments: &[Value], call: &mut Call<'_>) -> Result {
    or_else(must_to_date(arguments, call), || Time::zero().value())
}

fn must_to_date(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(layout), Value::String(text)] = arguments else { return Err(mismatch()) };
    // Each byte of a layout is compared with all fields.
    call.budget.steps(layout.len() / 16)?;
    Time::parse(layout, text).map(Time::value).map_err(|error| FunctionError::new(error.to_string()))
}

/// How long ago a time is.
fn ago(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let now = Time::new(call.now());
    let date = argument(arguments)?;
    let past = match date {
        Value::Int(Int::Int | Int::Int64, seconds) => Time::from_unix(*seconds),
        other => other.downcast().cloned().unwrap_or_else(|| now.clone()),
    };
    Ok(Value::string(&print_duration(rounded(now.since(&past), NANOSECONDS))))
}

/// Seconds, as an `int64` or a string, as a duration; anything else means zero.
fn duration(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let seconds = match argument(arguments)? {
        Value::String(text) => {
            std::str::from_utf8(text).ok().and_then(|text| super::convert::saturating(text, 10)).unwrap_or(0)
        }
        Value::Int(Int::Int64, seconds) => *seconds,
        _ => 0,
    };
    Ok(Value::string(&print_duration(seconds.wrapping_mul(NANOSECONDS))))
}

/// A duration in its largest unit: `2y`, `3mo`, `5m`.
fn duration_round(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    const HOUR: u64 = 3_600_000_000_000;
    const UNITS: [(u64, &str); 6] = [
        (365 * 24 * HOUR, "y"),
        (30 * 24 * HOUR, "mo"),
        (24 * HOUR, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let duration = match argument(arguments)? {
        Value::String(text) => parse_duration(text).unwrap_or(0),
        Value::Int(Int::Int64, nanoseconds) => *nanoseconds,
        other => other.downcast().map_or(0, |date| Time::new(call.now()).since(date)),
    };
    let magnitude = duration.unsigned_abs();
    let unit = UNITS.iter().find(|(unit, _)| magnitude > *unit);
    Ok(Value::string(&unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", magnitude / unit))))
}
