//! Number literals. An untyped one can become any type that holds its value.

use super::unquote;

/// A number literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    /// As written in the template.
    pub(crate) text: String,
    pub(crate) integer: Option<i64>,
    pub(crate) unsigned: Option<u64>,
    pub(crate) float: Option<f64>,
    /// The real and imaginary parts, only for an imaginary literal.
    pub(crate) complex: Option<(f64, f64)>,
}

/// Why a literal is not a number: the rest of a sentence.
pub(super) type Error = String;

const SYNTAX: &str = "invalid syntax";

impl Number {
    /// `'x'`: the character's code point.
    pub(super) fn parse_character(text: &[u8]) -> Result<Self, Error> {
        let inner = text.get(1..).unwrap_or_default();
        let (character, rest) = unquote::character(inner, b'\'').ok_or(SYNTAX)?;
        if rest != b"'" {
            return Err("malformed character constant".to_owned());
        }
        let code = character.code();
        Ok(Self {
            text: String::from_utf8_lossy(text).into_owned(),
            integer: Some(code.into()),
            unsigned: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        })
    }

    /// `1+2i`
    pub(super) fn parse_complex(text: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(text).map_err(|_| SYNTAX)?;
        let is_hexadecimal = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
        let exponent: &[u8] = if is_hexadecimal { b"pP" } else { b"eE" };
        let is_split = |&i: &usize| {
            let bytes = text.as_bytes();
            let follows_exponent = bytes.get(i - 1).is_some_and(|byte| exponent.contains(byte));
            matches!(bytes.get(i), Some(b'+' | b'-')) && !follows_exponent
        };
        let parts = (1..text.len()).find(is_split).map(|i| text.split_at(i));
        let parse =
            |(real, imaginary): (&str, &str)| Some((parse_float(real)?, parse_float(imaginary.strip_suffix('i')?)?));
        parts
            .and_then(parse)
            .map(|complex| Self::complex(text, complex))
            .ok_or_else(|| "syntax error scanning complex number".to_owned())
    }

    /// `1`, `0x1F`, `0b11`, `1_000`, `1.5e3`, `2i`
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(text).map_err(|_| SYNTAX)?;
        if let Some(imaginary) = text.strip_suffix('i').and_then(parse_float) {
            return Ok(Self::complex(text, (0.0, imaginary)));
        }
        let integer = parse_integer(text);
        // A signed literal is not unsigned, except for zero.
        let unsigned = parse_unsigned(text).or(if integer == Some(0) { Some(0) } else { None });
        #[allow(clippy::cast_precision_loss, reason = "rounds to the nearest, as Go does")]
        let promoted = integer.map(|integer| integer as f64).or(unsigned.map(|unsigned| unsigned as f64));
        let mut number = Self { text: text.to_owned(), integer, unsigned, float: promoted, complex: None };
        if promoted.is_none() {
            let float = parse_float(text).ok_or_else(|| format!("illegal number syntax: \"{text}\""))?;
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: \"{text}\""));
            }
            number.set_float(float);
        }
        Ok(number)
    }

    fn complex(text: &str, parts: (f64, f64)) -> Self {
        let mut number =
            Self { text: text.to_owned(), integer: None, unsigned: None, float: None, complex: Some(parts) };
        if parts.1 == 0.0 {
            number.set_float(parts.0);
        }
        number
    }

    /// Sets the float, and the integers that are equal to it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range and whole, as checked")]
    fn set_float(&mut self, float: f64) {
        const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
        self.float = Some(float);
        let is_whole = float.fract() == 0.0;
        self.integer = (is_whole && (-TWO_TO_63..TWO_TO_63).contains(&float)).then_some(float as i64);
        self.unsigned = (is_whole && (0.0..2.0 * TWO_TO_63).contains(&float)).then_some(float as u64);
    }

    /// Whether the literal is a float if no type is required.
    pub(crate) fn is_written_as_float(&self) -> bool {
        let is_hexadecimal = self.text.len() > 2 && self.text.to_ascii_lowercase().starts_with("0x");
        let is_hexadecimal_integer = is_hexadecimal && !self.text.contains(['p', 'P']);
        self.float.is_some()
            && !is_hexadecimal_integer
            && !self.text.starts_with('\'')
            && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

/// Parses an integer with the prefix of its base. A leading zero is a prefix, too.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(digits) => 0_i64.checked_sub_unsigned(parse_unsigned(digits)?),
        None => parse_unsigned(text.strip_prefix('+').unwrap_or(text))?.try_into().ok(),
    }
}

/// Parses digits with the prefix of their base, `0x`, `0o`, `0` or `0b`.
fn parse_unsigned(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', _, ..] => (lower.get(2..)?, 16),
        [b'0', b'o', _, ..] => (lower.get(2..)?, 8),
        [b'0', b'b', _, ..] => (lower.get(2..)?, 2),
        [b'0', _, ..] => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    let digits = without_underscores(&lower, digits)?;
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(&digits, base).ok()
}

/// `digits`, the end of `text`, without underscores. Each must follow a digit or the prefix, and precede a digit.
fn without_underscores(text: &str, digits: &str) -> Option<String> {
    let whole = text.as_bytes();
    let is_prefixed = matches!(whole, [b'0', b'b' | b'o' | b'x', ..]);
    let is_hexadecimal = matches!(whole, [b'0', b'x', ..]);
    let is_digit = |byte: &u8| byte.is_ascii_digit() || is_hexadecimal && byte.is_ascii_hexdigit();
    let is_separated = |i: usize| {
        let before = i.checked_sub(1).and_then(|before| whole.get(before));
        (is_prefixed && i == 2 || before.is_some_and(is_digit)) && whole.get(i + 1).is_some_and(is_digit)
    };
    let offset = whole.len() - digits.len();
    let are_separated = digits.bytes().enumerate().all(|(i, byte)| byte != b'_' || is_separated(offset + i));
    are_separated.then(|| digits.replace('_', ""))
}

/// Parses a finite decimal or hexadecimal float.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let magnitude = match lower.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal_float(&without_underscores(&lower, hexadecimal)?)?,
        None if lower.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-' | b'_')) => {
            if lower.starts_with(['+', '-']) {
                return None;
            }
            without_underscores(&lower, &lower)?.parse().ok()?
        }
        None => return None,
    };
    magnitude.is_finite().then_some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Parses a hexadecimal float after its `0x`: `1.8p3` is 12.
#[allow(clippy::cast_precision_loss, reason = "rounds to the nearest, as Go does")]
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once('p')?;
    let mut power: i64 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa = 0_u64;
    for (i, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let is_fraction = i >= whole.len();
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            power -= if is_fraction { 4 } else { 0 };
        } else {
            // Digits that do not fit only affect rounding.
            mantissa |= u64::from(digit != 0);
            power += if is_fraction { 0 } else { 4 };
        }
    }
    let mut number = mantissa as f64;
    let mut left = power.clamp(-20_000, 20_000);
    while left != 0 && number != 0.0 && number.is_finite() {
        let step = left.clamp(-1000, 1000);
        number *= 2_f64.powi(i32::try_from(step).ok()?);
        left -= step;
    }
    Some(number)
}
