//! Layouts, which show the reference time, `Mon Jan 2 15:04:05 MST 2006`, in the desired form.

/// A part of a layout that represents a part of a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    LongMonth,
    ShortMonth,
    Month,
    ZeroMonth,
    LongWeekday,
    ShortWeekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    ShortYear,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset(OffsetStyle),
    Fraction(Fraction),
}

/// The notation of a zone's offset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetStyle {
    /// Whether `Z` means no offset.
    pub(super) utc_is_z: bool,
    pub(super) has_colons: bool,
    pub(super) precision: Precision,
}

/// The last part of an offset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Hours,
    Minutes,
    Seconds,
}

/// The notation of a fraction of a second.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) separator: u8,
    pub(super) digits: usize,
    /// Whether trailing zeros are removed.
    pub(super) is_trimmed: bool,
}

/// The text of each field. If one is a prefix of another, the longer comes first.
const FIELDS: &[(&[u8], Field)] = &[
    (b"January", Field::LongMonth),
    (b"Jan", Field::ShortMonth),
    (b"Monday", Field::LongWeekday),
    (b"Mon", Field::ShortWeekday),
    (b"MST", Field::ZoneName),
    (b"01", Field::ZeroMonth),
    (b"02", Field::ZeroDay),
    (b"03", Field::ZeroHour12),
    (b"04", Field::ZeroMinute),
    (b"05", Field::ZeroSecond),
    (b"06", Field::ShortYear),
    (b"002", Field::ZeroYearDay),
    (b"15", Field::Hour),
    (b"1", Field::Month),
    (b"2006", Field::LongYear),
    (b"2", Field::Day),
    (b"_2", Field::UnderDay),
    (b"__2", Field::UnderYearDay),
    (b"3", Field::Hour12),
    (b"4", Field::Minute),
    (b"5", Field::Second),
    (b"PM", Field::UpperHalf),
    (b"pm", Field::LowerHalf),
    (b"-070000", offset(false, false, Precision::Seconds)),
    (b"-07:00:00", offset(false, true, Precision::Seconds)),
    (b"-0700", offset(false, false, Precision::Minutes)),
    (b"-07:00", offset(false, true, Precision::Minutes)),
    (b"-07", offset(false, false, Precision::Hours)),
    (b"Z070000", offset(true, false, Precision::Seconds)),
    (b"Z07:00:00", offset(true, true, Precision::Seconds)),
    (b"Z0700", offset(true, false, Precision::Minutes)),
    (b"Z07:00", offset(true, true, Precision::Minutes)),
    (b"Z07", offset(true, false, Precision::Hours)),
];

const fn offset(utc_is_z: bool, has_colons: bool, precision: Precision) -> Field {
    Field::Offset(OffsetStyle { utc_is_z, has_colons, precision })
}

/// A layout up to and including its next field.
pub(super) struct Chunk<'l> {
    /// The text before the field.
    pub(super) literal: &'l [u8],
    /// `None` at the end.
    pub(super) field: Option<Field>,
    pub(super) rest: &'l [u8],
}

/// The first chunk of a layout.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for at in 0..layout.len() {
        let (literal, rest) = layout.split_at(at);
        if let Some((field, len)) = field_at(rest) {
            return Chunk { literal, field: Some(field), rest: rest.get(len..).unwrap_or_default() };
        }
    }
    Chunk { literal: layout, field: None, rest: &[] }
}

/// The field at the start of `text`, and its length.
fn field_at(text: &[u8]) -> Option<(Field, usize)> {
    if let [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] = text {
        let digits = text.iter().skip(1).take_while(|byte| *byte == digit).count();
        let is_whole = !text.get(digits + 1).is_some_and(u8::is_ascii_digit);
        let fraction = Fraction { separator: *separator, digits, is_trimmed: *digit == b'9' };
        return is_whole.then_some((Field::Fraction(fraction), digits + 1));
    }
    let (name, field) = FIELDS.iter().find(|(name, _)| text.starts_with(name))?;
    let follows = text.get(name.len()..).unwrap_or_default();
    let is_field = match field {
        // `Janet` and `Month` are separate words.
        Field::ShortMonth | Field::ShortWeekday => !follows.first().is_some_and(u8::is_ascii_lowercase),
        // An underscore before a year.
        Field::UnderDay => !follows.starts_with(b"006"),
        _ => true,
    };
    is_field.then_some((*field, name.len()))
}
