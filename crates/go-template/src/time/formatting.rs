//! Formats times according to layouts.

use super::layout::{Field, Fraction, OffsetStyle, Precision, next_chunk};
use super::{Civil, Time, month_name, weekday_name};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::value::Text;

impl Time {
    /// Formats the time according to `layout`.
    pub(crate) fn format(&self, layout: &[u8], budget: &mut Budget) -> Result<Text, Exceeded> {
        budget.steps(layout.len() / 16)?;
        let mut output = Buffer::default();
        let civil = self.civil();
        let mut rest = layout;
        while !rest.is_empty() {
            let chunk = next_chunk(rest);
            output.push(chunk.literal, budget)?;
            if let Some(field) = chunk.field {
                output.push(self.field(field, &civil).as_bytes(), budget)?;
            }
            rest = chunk.rest;
        }
        Ok(output.finish().into())
    }

    /// The form in which Go prints a time: `2006-01-02 15:04:05.999 +0000 UTC`.
    pub(super) fn print(&self) -> String {
        self.format_short(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }

    /// Formats the time with one of the program's own layouts, which are short.
    pub(super) fn format_short(&self, layout: &[u8]) -> String {
        let civil = self.civil();
        let mut text = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let chunk = next_chunk(rest);
            text.push_str(&String::from_utf8_lossy(chunk.literal));
            if let Some(field) = chunk.field {
                text.push_str(&self.field(field, &civil));
            }
            rest = chunk.rest;
        }
        text
    }

    fn field(&self, field: Field, civil: &Civil) -> String {
        let date = civil.date;
        let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
        let half = if civil.hour >= 12 { "PM" } else { "AM" };
        match field {
            Field::LongMonth => month_name(date.month),
            Field::ShortMonth => month_name(date.month).chars().take(3).collect(),
            Field::Month => date.month.to_string(),
            Field::ZeroMonth => padded(date.month, 2),
            Field::LongWeekday => weekday_name(date.weekday()),
            Field::ShortWeekday => weekday_name(date.weekday()).chars().take(3).collect(),
            Field::Day => date.day.to_string(),
            Field::UnderDay => format!("{:2}", date.day),
            Field::ZeroDay => padded(date.day, 2),
            Field::UnderYearDay => format!("{:3}", date.day_of_year()),
            Field::ZeroYearDay => padded(date.day_of_year(), 3),
            Field::Hour => padded(civil.hour, 2),
            Field::Hour12 => hour12.to_string(),
            Field::ZeroHour12 => padded(hour12, 2),
            Field::Minute => civil.minute.to_string(),
            Field::ZeroMinute => padded(civil.minute, 2),
            Field::Second => civil.second.to_string(),
            Field::ZeroSecond => padded(civil.second, 2),
            Field::LongYear => padded(date.year, 4),
            Field::ShortYear => padded(date.year.abs() % 100, 2),
            Field::UpperHalf => half.to_owned(),
            Field::LowerHalf => half.to_ascii_lowercase(),
            Field::ZoneName => self.zone_name(),
            Field::Offset(style) => offset(self.zone_info().1, style),
            Field::Fraction(style) => fraction(self.nanoseconds, style),
        }
    }

    fn zone_name(&self) -> String {
        let (name, seconds) = self.zone_info();
        let numeric = OffsetStyle { utc_is_z: false, has_colons: false, precision: Precision::Minutes };
        if name.is_empty() { offset(seconds, numeric) } else { name }
    }
}

/// A number with leading zeros; the sign does not count.
fn padded(number: i64, width: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", number.unsigned_abs())
}

fn offset(seconds: i64, style: OffsetStyle) -> String {
    if style.utc_is_z && seconds == 0 {
        return "Z".to_owned();
    }
    // The sign applies to whole minutes.
    let minutes = seconds / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let magnitude = if minutes < 0 { -seconds } else { seconds };
    let mut parts = vec![padded(minutes.abs() / 60, 2)];
    if style.precision != Precision::Hours {
        parts.push(padded(minutes.abs() % 60, 2));
    }
    if style.precision == Precision::Seconds {
        parts.push(padded(magnitude % 60, 2));
    }
    format!("{sign}{}", parts.join(if style.has_colons { ":" } else { "" }))
}

fn fraction(nanoseconds: u32, style: Fraction) -> String {
    let digits = format!("{nanoseconds:09}");
    let digits = digits.get(..style.digits.min(9)).unwrap_or_default();
    let digits = if style.is_trimmed { digits.trim_end_matches('0') } else { digits };
    if digits.is_empty() { String::new() } else { format!("{}{digits}", char::from(style.separator)) }
}
