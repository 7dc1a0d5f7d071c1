//! Comparisons under Go's rules: of two values of the same kind, and of integers with different signs.

use std::cmp::Ordering;

use super::Result;
use crate::functions::{Call, FunctionError};
use crate::value::{Value, is_same};

/// `eq a b c`: whether `a` equals any of the others.
pub(super) fn eq(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [first, others @ ..] = arguments else { return Err(missing()) };
    if others.is_empty() {
        return Err(missing());
    }
    for other in others {
        if is_equal(first, other, call)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn ne(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let (a, b) = pair(arguments)?;
    Ok(Value::Bool(!is_equal(a, b, call)?))
}

pub(super) fn lt(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let (a, b) = pair(arguments)?;
    Ok(Value::Bool(order(a, b)? == Some(Ordering::Less)))
}

pub(super) fn le(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let (a, b) = pair(arguments)?;
    Ok(Value::Bool(matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal))))
}

/// Not less or equal, so it holds for values without an order.
pub(super) fn gt(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let (a, b) = pair(arguments)?;
    Ok(Value::Bool(!matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal))))
}

/// Not less, so it holds for values without an order.
pub(super) fn ge(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let (a, b) = pair(arguments)?;
    Ok(Value::Bool(order(a, b)? != Some(Ordering::Less)))
}

fn pair(arguments: &[Value]) -> std::result::Result<(&Value, &Value), FunctionError> {
    match arguments {
        [a, b] => Ok((a, b)),
        _ => Err(missing()),
    }
}

fn missing() -> FunctionError {
    FunctionError::new("missing argument for comparison")
}

fn incompatible(a: &Value, b: &Value) -> FunctionError {
    FunctionError::new(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

#[allow(clippy::float_cmp, reason = "floats are equal where Go finds them equal")]
fn is_equal(a: &Value, b: &Value, call: &mut Call<'_>) -> std::result::Result<bool, FunctionError> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Complex(a, i), Value::Complex(b, j)) => Ok(a == b && i == j),
        (Value::String(a), Value::String(b)) => Ok(a == b),
        (Value::Int(..) | Value::Uint(..), Value::Int(..) | Value::Uint(..)) => Ok(integer(a) == integer(b)),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Object(a), Value::Object(b)) => Ok(is_same(&***a, &***b, call.budget)?),
        _ if is_container(a) && is_container(b) => {
            let (a, b) = (a.type_name(), b.type_name());
            Err(FunctionError::new(format!("non-comparable types {a} and {b}")))
        }
        _ => Err(incompatible(a, b)),
    }
}

/// The order of `a` and `b`; `None` for floats if one of them is NaN.
fn order(a: &Value, b: &Value) -> std::result::Result<Option<Ordering>, FunctionError> {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
        (Value::Int(..) | Value::Uint(..), Value::Int(..) | Value::Uint(..)) => Ok(integer(a).partial_cmp(&integer(b))),
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => Err(unordered()),
        _ if a.is_basic() && b.is_basic() => Err(incompatible(a, b)),
        _ => Err(unordered()),
    }
}

fn unordered() -> FunctionError {
    FunctionError::new("invalid type for comparison")
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(_, number) => Some((*number).into()),
        Value::Uint(_, number) => Some((*number).into()),
        _ => None,
    }
}

const fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_) | Value::Bytes(_))
}

impl Value {
    const fn is_basic(&self) -> bool {
        !matches!(self, Self::Nil | Self::Object(_)) && !is_container(self)
    }
}
