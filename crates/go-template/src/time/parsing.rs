//! Parses times according to layouts.

use super::calendar::Date;
use super::layout::{Field, OffsetStyle, Precision, next_chunk};
use super::{MONTHS, SECONDS_PER_DAY, Time, WEEKDAYS, Zone};

/// Why a string does not match a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseTimeError {
    #[error("cannot parse the time as its layout says")]
    Mismatch,
    #[error("cannot parse the time as its layout says: extra text")]
    ExtraText,
    #[error("cannot parse the time: {0} out of range")]
    OutOfRange(&'static str),
    #[error("cannot parse the time: day-of-year does not match {0}")]
    Contradiction(&'static str),
}

use ParseTimeError::{Contradiction, ExtraText, Mismatch, OutOfRange};

type Result<T> = std::result::Result<T, ParseTimeError>;

impl Time {
    /// Reads a time.
    pub(crate) fn parse(layout: &[u8], text: &[u8]) -> Result<Self> {
        let mut parts = Parts::default();
        let mut reader = Reader { rest: text };
        let mut layout = layout;
        loop {
            let chunk = next_chunk(layout);
            reader.literal(chunk.literal)?;
            layout = chunk.rest;
            let Some(field) = chunk.field else { break };
            parts.read(field, &mut reader, layout)?;
        }
        if reader.rest.is_empty() { parts.time() } else { Err(ExtraText) }
    }
}

/// What has been parsed so far.
#[derive(Default)]
struct Parts {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: i64,
    /// Whether it is after noon.
    is_afternoon: Option<bool>,
    is_utc: bool,
    offset: Option<i64>,
    zone_name: Option<String>,
}

impl Parts {
    fn read(&mut self, field: Field, reader: &mut Reader<'_>, layout: &[u8]) -> Result<()> {
        match field {
            Field::ShortYear => {
                let year = reader.digits(2)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Field::LongYear => self.year = reader.digits(4)?,
            Field::ShortMonth => self.month = Some(reader.name(&MONTHS, 3)? + 1),
            Field::LongMonth => self.month = Some(reader.name(&MONTHS, usize::MAX)? + 1),
            Field::Month | Field::ZeroMonth => {
                let month = reader.number(field == Field::ZeroMonth)?;
                self.month = Some(within(month, 1..=12, "month")?);
            }
            Field::ShortWeekday => drop(reader.name(&WEEKDAYS, 3)?),
            Field::LongWeekday => drop(reader.name(&WEEKDAYS, usize::MAX)?),
            Field::Day | Field::UnderDay | Field::ZeroDay => {
                reader.skip_blanks(usize::from(field == Field::UnderDay));
                self.day = Some(reader.number(field == Field::ZeroDay)?);
            }
            Field::UnderYearDay | Field::ZeroYearDay => {
                reader.skip_blanks(if field == Field::UnderYearDay { 2 } else { 0 });
                self.day_of_year = Some(reader.day_of_year(field == Field::ZeroYearDay)?);
            }
            Field::Hour => self.hour = within(reader.number(false)?, 0..=23, "hour")?,
            Field::Hour12 | Field::ZeroHour12 => {
                self.hour = within(reader.number(field == Field::ZeroHour12)?, 0..=12, "hour")?;
            }
            Field::Minute | Field::ZeroMinute => {
                self.minute = within(reader.number(field == Field::ZeroMinute)?, 0..=59, "minute")?;
            }
            Field::Second | Field::ZeroSecond => {
                self.second = within(reader.number(field == Field::ZeroSecond)?, 0..=59, "second")?;
                // A fraction may follow even if the layout has none.
                if !matches!(next_chunk(layout).field, Some(Field::Fraction(_))) {
                    self.nanoseconds = reader.any_fraction().unwrap_or(self.nanoseconds);
                }
            }
            Field::UpperHalf => self.is_afternoon = Some(reader.half([b"AM", b"PM"])?),
            Field::LowerHalf => self.is_afternoon = Some(reader.half([b"am", b"pm"])?),
            Field::Offset(style) if style.utc_is_z && reader.accept(b"Z") => self.is_utc = true,
            Field::Offset(style) => self.offset = Some(reader.offset(style)?),
            Field::ZoneName if reader.accept(b"UTC") => self.is_utc = true,
            Field::ZoneName => self.zone_name = Some(reader.zone_name()?),
            Field::Fraction(style) if style.is_trimmed => {
                self.nanoseconds = reader.any_fraction().unwrap_or(self.nanoseconds);
            }
            Field::Fraction(style) => self.nanoseconds = reader.fraction(style.digits)?,
        }
        Ok(())
    }

    fn time(self) -> Result<Time> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = self.date()?;
        if !(1..=date.days_in_month()).contains(&date.day) {
            return Err(OutOfRange("day"));
        }
        let local = date.days() * SECONDS_PER_DAY + hour * 3600 + self.minute * 60 + self.second;
        let (seconds, zone) = match (self.offset, self.zone_name) {
            _ if self.is_utc => (local, Zone::Utc),
            // A zero offset means the local zone.
            (None | Some(0), None) => (local, Zone::Utc),
            (Some(offset), name) => (local - offset, Zone::Fixed { name: name.unwrap_or_default().into(), offset }),
            (None, Some(name)) => {
                let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i64>().ok());
                (local, Zone::Fixed { offset: hours.unwrap_or(0) * 3600, name: name.into() })
            }
        };
        Ok(Time::from_parts(seconds, self.nanoseconds, zone))
    }

    fn date(&self) -> Result<Date> {
        let year = self.year;
        let Some(day_of_year) = self.day_of_year else {
            return Ok(Date { year, month: self.month.unwrap_or(1), day: self.day.unwrap_or(1) });
        };
        let first = Date { year, month: 1, day: 1 };
        let days = Date { year: year + 1, ..first }.days() - first.days();
        if !(1..=days).contains(&day_of_year) {
            return Err(OutOfRange("day-of-year"));
        }
        let date = Date::from_days(first.days() + day_of_year - 1);
        match (self.month, self.day) {
            (Some(month), _) if month != date.month => Err(Contradiction("month")),
            (_, Some(day)) if day != date.day => Err(Contradiction("day")),
            _ => Ok(date),
        }
    }
}

fn within(number: i64, range: std::ops::RangeInclusive<i64>, name: &'static str) -> Result<i64> {
    if range.contains(&number) { Ok(number) } else { Err(OutOfRange(name)) }
}

/// The string that is being parsed.
struct Reader<'t> {
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    fn take(&mut self, len: usize) -> Result<&'t [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Mismatch)?;
        self.rest = rest;
        Ok(taken)
    }

    fn accept(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Parses text of the layout. Spaces match any number of spaces.
    fn literal(&mut self, literal: &[u8]) -> Result<()> {
        let mut literal = literal;
        while let Some((&first, others)) = literal.split_first() {
            if first != b' ' {
                if self.take(1)? != [first] {
                    return Err(Mismatch);
                }
                literal = others;
                continue;
            }
            if self.rest.first().is_some_and(|&byte| byte != b' ') {
                return Err(Mismatch);
            }
            let blanks = literal.iter().take_while(|&&byte| byte == b' ').count();
            literal = literal.get(blanks..).unwrap_or_default();
            self.skip_blanks(usize::MAX);
        }
        Ok(())
    }

    fn skip_blanks(&mut self, most: usize) {
        let blanks = self.rest.iter().take(most).take_while(|&&byte| byte == b' ').count();
        self.rest = self.rest.get(blanks..).unwrap_or_default();
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Result<i64> {
        let digits = self.take(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Mismatch);
        }
        Ok(number_of(digits))
    }

    /// Up to `most` digits, at least one.
    fn some_digits(&mut self, most: usize) -> Result<&'t [u8]> {
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 { Err(Mismatch) } else { self.take(count) }
    }

    /// One or two digits; two if the layout has a zero.
    fn number(&mut self, needs_two: bool) -> Result<i64> {
        let digits = self.some_digits(2)?;
        if needs_two && digits.len() < 2 { Err(Mismatch) } else { Ok(number_of(digits)) }
    }

    fn day_of_year(&mut self, needs_three: bool) -> Result<i64> {
        let digits = self.some_digits(3)?;
        if needs_three && digits.len() < 3 { Err(Mismatch) } else { Ok(number_of(digits)) }
    }

    /// The index of one of the names, truncated to `len`, ignoring case.
    fn name(&mut self, names: &[&str], len: usize) -> Result<i64> {
        for (i, name) in names.iter().enumerate() {
            let name = name.as_bytes();
            let name = name.get(..len.min(name.len())).unwrap_or(name);
            if self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                self.take(name.len())?;
                return i64::try_from(i).map_err(|_| Mismatch);
            }
        }
        Err(Mismatch)
    }

    /// Whether the second of the two names follows.
    fn half(&mut self, [morning, afternoon]: [&[u8]; 2]) -> Result<bool> {
        let is_afternoon = self.accept(afternoon);
        if is_afternoon || self.accept(morning) { Ok(is_afternoon) } else { Err(Mismatch) }
    }

    /// A separator and this many digits.
    fn fraction(&mut self, digits: usize) -> Result<i64> {
        if !matches!(self.take(1)?, b"." | b",") {
            return Err(Mismatch);
        }
        let digits = self.take(digits)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(nanoseconds(digits)) } else { Err(Mismatch) }
    }

    /// A separator and any number of digits; `None` if there are none.
    fn any_fraction(&mut self) -> Option<i64> {
        let [b'.' | b',', b'0'..=b'9', ..] = self.rest else { return None };
        self.take(1).ok()?;
        Some(nanoseconds(self.some_digits(usize::MAX).ok()?))
    }

    /// A zone's offset in seconds.
    fn offset(&mut self, style: OffsetStyle) -> Result<i64> {
        let sign = match self.take(1)? {
            b"+" => 1,
            b"-" => -1,
            _ => return Err(Mismatch),
        };
        let units = match style.precision {
            Precision::Hours => 1,
            Precision::Minutes => 2,
            Precision::Seconds => 3,
        };
        let mut parts = [0; 3];
        for (i, part) in parts.iter_mut().enumerate().take(units) {
            if i > 0 && style.has_colons && !self.accept(b":") {
                return Err(Mismatch);
            }
            *part = self.digits(2)?;
        }
        let [hours, minutes, seconds] = parts;
        within(hours, 0..=24, "time zone offset hour")?;
        within(minutes, 0..=60, "time zone offset minute")?;
        within(seconds, 0..=60, "time zone offset second")?;
        Ok(sign * (hours * 3600 + minutes * 60 + seconds))
    }

    /// The abbreviation of a zone.
    fn zone_name(&mut self) -> Result<String> {
        let len = zone_name_len(self.rest).ok_or(Mismatch)?;
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }
}

fn zone_name_len(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours_len(rest));
    }
    if matches!(text.first(), Some(b'+' | b'-')) {
        return Some(signed_hours_len(text)).filter(|&len| len > 0);
    }
    match text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count() {
        3 => Some(3),
        4 if text.get(3) == Some(&b'T') || text.starts_with(b"WITA") => Some(4),
        5 if text.get(4) == Some(&b'T') => Some(5),
        _ => None,
    }
}

/// The length of a sign and hours at the start of `text`; 0 if there are none.
fn signed_hours_len(text: &[u8]) -> usize {
    let [b'+' | b'-', rest @ ..] = text else { return 0 };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = rest.get(..count).unwrap_or_default();
    if count == 0 || number_of(digits) > 23 { 0 } else { count + 1 }
}

fn number_of(digits: &[u8]) -> i64 {
    digits.iter().fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
}

/// The digits of a fraction of a second.
fn nanoseconds(digits: &[u8]) -> i64 {
    (0..9)
        .map(|i| digits.get(i).map_or(0, |digit| i64::from(digit - b'0')))
        .fold(0, |number, digit| number * 10 + digit)
}
