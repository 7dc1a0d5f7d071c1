//! Conversions between types.

use super::{Result, STRINGS, Table, mismatch};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::format;
use crate::functions::{Call, Function};
use crate::parser::number;
use crate::value::{Int, List, TEXT_OVERHEAD, Text, Type, Uint, Value, list_size};

pub(super) const TABLE: Table = &[
    ("atoi", Function::fixed(&[Type::String], atoi)),
    ("float64", Function::fixed(&[Type::Any], |arguments, _| Ok(Value::Float(float(argument(arguments)?))))),
    ("int", Function::fixed(&[Type::Any], |arguments, _| Ok(Value::int(integer(argument(arguments)?))))),
    ("int64", Function::fixed(&[Type::Any], |arguments, _| Ok(int64(integer(argument(arguments)?))))),
    ("toDecimal", Function::fixed(&[Type::Any], to_decimal)),
    (
        "toString",
        Function::fixed(&[Type::Any], |arguments, call| Ok(Value::String(string(argument(arguments)?, call.budget)?))),
    ),
    ("toStrings", Function::fixed(&[Type::Any], to_strings)),
];

/// The only argument.
pub(super) fn argument(arguments: &[Value]) -> Result<&Value> {
    arguments.first().ok_or_else(mismatch)
}

/// An `int64`.
pub(super) const fn int64(number: i64) -> Value {
    Value::Int(Int::Int64, number)
}

/// A value as a string, as most functions accept it.
pub(super) fn string(value: &Value, budget: &mut Budget) -> std::result::Result<Text, Exceeded> {
    match value {
        Value::String(text) | Value::Bytes(text) => Ok(text.clone()),
        other => printed(other, budget),
    }
}

/// A value as `%v` prints it.
pub(super) fn printed(value: &Value, budget: &mut Budget) -> std::result::Result<Text, Exceeded> {
    if let Value::String(text) = value {
        return Ok(text.clone());
    }
    let mut output = Buffer::default();
    format::print(std::slice::from_ref(value), &mut output, budget)?;
    Ok(output.finish().into())
}

/// The non-nil elements of a list as strings; for anything else, its own string.
pub(super) fn strings(value: &Value, budget: &mut Budget) -> std::result::Result<Vec<Text>, Exceeded> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(list) => {
            budget.steps(list.len())?;
            let elements = list.iter().filter(|element| !matches!(element, Value::Nil));
            elements.map(|element| string(&element, budget)).collect()
        }
        Value::Bytes(bytes) => {
            budget.steps(bytes.len())?;
            budget.room(bytes.len().saturating_mul(TEXT_OVERHEAD + 16))?;
            Ok(bytes.iter().map(|byte| Text::from(byte.to_string().as_str())).collect())
        }
        other => Ok(vec![string(other, budget)?]),
    }
}

fn to_strings(arguments: &[Value], call: &mut Call<'_>) -> Result {
    match argument(arguments)? {
        value @ Value::List(list) if Type::Slice(list.element_type()) == STRINGS => Ok(value.clone()),
        value => Ok(string_list(strings(value, call.budget)?)),
    }
}

/// A `[]string`.
pub(super) fn string_list(texts: Vec<Text>) -> Value {
    Value::List(List::new(&Type::String, texts.into_iter().map(Value::String).collect()))
}

/// The elements of a slice; `None` if the value is not one.
pub(super) fn elements(value: &Value, budget: &mut Budget) -> Result<Option<Vec<Value>>> {
    match value {
        Value::List(list) => {
            budget.steps(list.len())?;
            budget.room(list_size(list.len()))?;
            Ok(Some(list.iter().collect()))
        }
        Value::Bytes(bytes) => {
            budget.steps(bytes.len())?;
            budget.room(list_size(bytes.len()))?;
            Ok(Some(bytes.iter().map(|&byte| Value::Uint(Uint::Uint8, byte.into())).collect()))
        }
        _ => Ok(None),
    }
}

/// A value as an integer, 0 if it cannot be one. A string may be octal, hexadecimal (`0x1f`), or have decimals, which
/// are dropped.
#[allow(clippy::cast_possible_wrap, reason = "wraps, as in Go")]
pub(super) fn integer(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        Value::Int(_, number) => *number,
        Value::Uint(_, number) => *number as i64,
        Value::Float(number) => truncated(*number),
        Value::String(text) => str_of(text).and_then(|text| number::parse_integer(without_decimals(text))).unwrap_or(0),
        _ => 0,
    }
}

/// A float as an integer. One that is out of range becomes the smallest integer, as on the processors of most clusters.
#[allow(clippy::cast_possible_truncation, reason = "in range, as checked")]
fn truncated(number: f64) -> i64 {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if (-TWO_TO_63..TWO_TO_63).contains(&number) { number as i64 } else { i64::MIN }
}

/// `12` of `12.34`.
fn without_decimals(text: &str) -> &str {
    let Some((whole, decimals)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let is_number = digits.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit());
    match digits {
        _ if !is_number => text,
        "" => "0",
        _ => whole,
    }
}

/// A value as a float, 0 if it cannot be one.
#[allow(clippy::cast_precision_loss, reason = "rounds to the nearest, as Go does")]
pub(super) fn float(value: &Value) -> f64 {
    match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Int(_, number) => *number as f64,
        Value::Uint(_, number) => *number as f64,
        Value::Float(number) => *number,
        Value::String(text) => str_of(text).and_then(parse_float).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// A float as Go's `strconv.ParseFloat` parses it, including `inf` and `nan`.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => Some(sign * f64::INFINITY),
        "nan" if unsigned.len() == text.len() => Some(f64::NAN),
        _ => number::parse_float(text),
    }
}

/// A text that may be a number, which has at most some hundred digits.
fn str_of(text: &Text) -> Option<&str> {
    const MAX_LEN: usize = 4096;
    if text.len() > MAX_LEN { None } else { std::str::from_utf8(text).ok() }
}

/// A decimal number; 0 if the string is not one, the nearest integer if it is out of range.
fn atoi(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(Value::int(str_of(text).and_then(|text| saturating(text, 10)).unwrap_or(0)))
}

/// Digits with an optional sign; the nearest integer if they are out of range, `None` if they are not digits.
pub(super) fn saturating(text: &str, base: u32) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(i64::from_str_radix(text, base).unwrap_or(limit))
}

/// The value of octal digits.
fn to_decimal(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let text = printed(argument(arguments)?, call.budget)?;
    let number = str_of(&text).and_then(|text| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| i64::from_str_radix(text, 8).ok())?
    });
    Ok(int64(number.unwrap_or(0)))
}
