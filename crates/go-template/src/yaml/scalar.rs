//! The meaning of scalars in YAML 1.1, as far as go-yaml follows it.

use std::sync::LazyLock;

use regex::Regex;

use crate::parser::number::parse_float;

/// A scalar that is not text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date or a time, which stays text.
    Timestamp,
}

impl Plain {
    /// The short tag of the type.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
        }
    }
}

/// The meaning of a text without quotes and tag; `None` if it is just text.
pub(super) fn resolve(text: &str) -> Option<Plain> {
    resolve_as(text, Timestamps::Known)
}

/// Whether to recognize dates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Timestamps {
    Known,
    Unknown,
}

/// The meaning of a text; `None` if it is just text.
pub(super) fn resolve_as(text: &str, timestamps: Timestamps) -> Option<Plain> {
    if let Some(word) = word(text) {
        return Some(word);
    }
    match text.bytes().next()? {
        // Unlike the others, go-yaml hands these to Go's parser, underscores included.
        b'.' => parse_float(text).map(Plain::Float),
        b'0'..=b'9' | b'+' | b'-' => {
            if timestamps == Timestamps::Known && is_timestamp(text) {
                return Some(Plain::Timestamp);
            }
            number(&text.replace('_', ""))
        }
        _ => None,
    }
}

fn word(text: &str) -> Option<Plain> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Plain::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Plain::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        ".nan" | ".NaN" | ".NAN" => Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Plain::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Plain::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Plain> {
    static FLOAT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$").ok());
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let has_sign = digits.len() < text.len();
    if let Some(magnitude) = magnitude(digits) {
        let integer = i128::from(magnitude) * if is_negative { -1 } else { 1 };
        if let Ok(integer) = i64::try_from(integer) {
            return Some(Plain::Int(integer));
        }
        if !has_sign {
            return Some(Plain::Uint(magnitude));
        }
    }
    if FLOAT.as_ref().is_some_and(|float| float.is_match(text)) { go_float(text).map(Plain::Float) } else { None }
}

/// Parses an integer with the prefixes of Go's literals.
fn magnitude(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // The standard library would accept a sign.
    if digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        u64::from_str_radix(digits, radix).ok()
    } else {
        None
    }
}

/// Parses a finite float; `None` if it is not a number, or too large for a float.
fn go_float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// Whether go-yaml recognizes the text as a date, with or without a time.
pub(super) fn is_timestamp(text: &str) -> bool {
    static TIMESTAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            concat!(
                r"^(?<year>[0-9]{4})-(?<month>0[1-9]|1[0-2]|[1-9])-(?<day>[0-9]{1,2})",
                r"(?:(?:[Tt](?<zoned>{time})(?:Z|[-+]([01][0-9]|2[0-4]):(?:[0-5][0-9]|60)))| +(?<local>{time}))?$",
            )
            .replace("{time}", r"(?:[0-9]|[01][0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9](?:[.,][0-9]+)?")
            .as_str(),
        )
        .ok()
    });
    let Some(parts) = TIMESTAMP.as_ref().and_then(|timestamp| timestamp.captures(text)) else { return false };
    let part = |name: &str| parts.name(name).and_then(|part| part.as_str().parse::<i16>().ok());
    let (Some(year), Some(month), Some(day)) = (part("year"), part("month"), part("day")) else { return false };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    jiff::civil::Date::new(year, month, day).is_ok()
}

/// Whether the text is a number of base 60 in YAML 1.1. go-yaml does not read it as such, but quotes it for others.
pub(super) fn is_sexagesimal(text: &str) -> bool {
    static SEXAGESIMAL: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$").ok());
    SEXAGESIMAL.as_ref().is_some_and(|sexagesimal| sexagesimal.is_match(text))
}

/// A float in its shortest form, as Go's `strconv` writes it.
pub(super) fn float_text(float: f64) -> String {
    general(&format!("{float:e}"), float)
}

/// A float with the precision of a `float32`, as Go's `strconv` writes it. `sigs.k8s.io/yaml` does that when a float
/// becomes a string.
#[allow(clippy::cast_possible_truncation, reason = "Go rounds as well")]
pub(super) fn float32_text(float: f64) -> String {
    general(&format!("{:e}", float as f32), f64::from(float as f32))
}

fn general(scientific: &str, float: f64) -> String {
    if !float.is_finite() {
        return if float.is_nan() {
            "NaN"
        } else if float > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return fixed(mantissa, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn fixed(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(exponent) if digits.len() > exponent + 1 => {
            let (whole, fraction) = digits.split_at(exponent + 1);
            format!("{sign}{whole}.{fraction}")
        }
        Ok(exponent) => format!("{sign}{digits:0<width$}", width = exponent + 1),
        Err(_) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            format!("{sign}0.{}{digits}", "0".repeat(zeros))
        }
    }
}
