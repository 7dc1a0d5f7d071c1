//! Choosing between values.

use super::convert::argument;
use super::{Result, Table, mismatch};
use crate::functions::{Call, Function};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[
    ("all", Function::variadic(&[], Type::Any, |values, _| Ok(Value::Bool(values.iter().all(Value::is_true))))),
    ("any", Function::variadic(&[], Type::Any, |values, _| Ok(Value::Bool(values.iter().any(Value::is_true))))),
    ("coalesce", Function::variadic(&[], Type::Any, coalesce)),
    ("default", Function::variadic(&[Type::Any], Type::Any, default)),
    ("empty", Function::fixed(&[Type::Any], |arguments, _| Ok(Value::Bool(!argument(arguments)?.is_true())))),
    ("ternary", Function::fixed(&[Type::Any, Type::Any, Type::Bool], ternary)),
];

/// The first argument that is not empty.
#[allow(clippy::unnecessary_wraps, reason = "a function may fail")]
fn coalesce(values: &[Value], _: &mut Call<'_>) -> Result {
    Ok(values.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil))
}

/// The second argument, or the first if that is empty.
fn default(arguments: &[Value], _: &mut Call<'_>) -> Result {
    match arguments {
        [_, given, ..] if given.is_true() => Ok(given.clone()),
        [default, ..] => Ok(default.clone()),
        [] => Err(mismatch()),
    }
}

fn ternary(arguments: &[Value], _: &mut Call<'_>) -> Result {
    match arguments {
        [yes, _, Value::Bool(true)] => Ok(yes.clone()),
        [_, no, Value::Bool(false)] => Ok(no.clone()),
        _ => Err(mismatch()),
    }
}
