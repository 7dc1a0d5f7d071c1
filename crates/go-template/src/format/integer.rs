//! Integers.

use super::printer::Flags;

/// An integer to print.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub(super) is_negative: bool,
    pub(super) magnitude: u64,
}

impl From<i64> for Integer {
    fn from(number: i64) -> Self {
        Self { is_negative: number < 0, magnitude: number.unsigned_abs() }
    }
}

impl From<u64> for Integer {
    fn from(magnitude: u64) -> Self {
        Self { is_negative: false, magnitude }
    }
}

/// `number` for one of the verbs that print digits, without padding to the width; `None` for a zero that a precision of
/// 0 hides.
pub(super) fn digits(number: Integer, verb: char, flags: &Flags) -> Option<String> {
    let magnitude = number.magnitude;
    let has_sign = number.is_negative || flags.plus || flags.space;
    let least_digits = match flags.precision {
        Some(0) if magnitude == 0 => return None,
        Some(precision) => precision,
        None if flags.zero && !flags.minus => flags.width.unwrap_or(0).saturating_sub(usize::from(has_sign)),
        None => 0,
    };
    let plain = match verb {
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => magnitude.to_string(),
    };
    let mut text = String::new();
    text.push_str(match number.is_negative {
        true => "-",
        false if flags.plus => "+",
        false if flags.space => " ",
        false => "",
    });
    let zeros = least_digits.saturating_sub(plain.len());
    text.push_str(match verb {
        'O' => "0o",
        'b' if flags.sharp => "0b",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    });
    // The leading zero of an octal number, unless it has one already.
    if matches!(verb, 'o' | 'O') && flags.sharp && zeros == 0 && !plain.starts_with('0') {
        text.push('0');
    }
    text.extend(std::iter::repeat_n('0', zeros));
    text.push_str(&plain);
    Some(text)
}

/// `number` for `%U`: `U+0078`, and with the sharp flag `U+0078 'x'`.
pub(super) fn code_point(number: u64, flags: &Flags) -> String {
    let precision = flags.precision.unwrap_or(4).max(4);
    let plain = format!("{number:X}");
    let zeros = "0".repeat(precision.saturating_sub(plain.len()));
    let character = u32::try_from(number).ok().and_then(char::from_u32);
    match character.filter(|&character| flags.sharp && super::quote::is_printable(character)) {
        Some(character) => format!("U+{zeros}{plain} '{character}'"),
        None => format!("U+{zeros}{plain}"),
    }
}

/// The character with the code `number`; U+FFFD if there is none.
pub(super) fn character(number: u64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
