//! Parts of strings, lists and maps. Messages omit the index, which may be derived from a secret.

use super::Result;
use crate::functions::{Call, FunctionError};
use crate::value::{Text, Type, Uint, Value};

/// `index x 1 "a"`: `x[1]["a"]`.
pub(super) fn index(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [item, indexes @ ..] = arguments else { return Err(FunctionError::new("index of untyped nil")) };
    if matches!(item, Value::Nil) {
        return Err(FunctionError::new("index of untyped nil"));
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Nil => return Err(FunctionError::new("index of nil pointer")),
            Value::String(text) | Value::Bytes(text) => {
                let byte = text.get(position(index, text.len())?).ok_or_else(out_of_range)?;
                Value::Uint(Uint::Uint8, (*byte).into())
            }
            Value::List(list) => list.get(position(index, list.len())?).ok_or_else(out_of_range)?,
            Value::Map(map) => map.get(&key(index)?).unwrap_or_else(|| Value::zero(*map.element_type())),
            other => return Err(FunctionError::new(format!("can't index item of type {}", other.type_name()))),
        };
    }
    Ok(item)
}

/// `slice x 1 2`: `x[1:2]`.
pub(super) fn slice(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [item, indexes @ ..] = arguments else { return Err(FunctionError::new("slice of untyped nil")) };
    if matches!(item, Value::Nil) {
        return Err(FunctionError::new("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(FunctionError::new(format!("too many slice indexes: {}", indexes.len())));
    }
    let (len, capacity) = match item {
        Value::String(_) if indexes.len() == 3 => return Err(FunctionError::new("cannot 3-index slice a string")),
        Value::String(text) | Value::Bytes(text) => (text.len(), text.len()),
        Value::List(list) => (list.len(), list.capacity()),
        other => return Err(FunctionError::new(format!("can't slice item of type {}", other.type_name()))),
    };
    let positions: Vec<usize> =
        indexes.iter().map(|index| position(index, capacity)).collect::<std::result::Result<_, _>>()?;
    let start = positions.first().copied().unwrap_or(0);
    let end = positions.get(1).copied().unwrap_or(len);
    if start > end || positions.get(2).is_some_and(|&bound| end > bound) {
        return Err(FunctionError::new("invalid slice index: the end is before the start"));
    }
    match item {
        Value::String(text) => Ok(Value::String(part(text, start, end)?)),
        Value::Bytes(text) => Ok(Value::Bytes(part(text, start, end)?)),
        Value::List(list) => list.slice(start, end).map(Value::List).ok_or_else(out_of_range),
        _ => Err(out_of_range()),
    }
}

/// `len x`
pub(super) fn len(arguments: &[Value], _: &mut Call<'_>) -> Result {
    match arguments.first() {
        Some(Value::String(text) | Value::Bytes(text)) => Ok(Value::len(text.len())),
        Some(Value::List(list)) => Ok(Value::len(list.len())),
        Some(Value::Map(map)) => Ok(Value::len(map.len())),
        None | Some(Value::Nil) => Err(FunctionError::new("len of nil pointer")),
        Some(other) => Err(FunctionError::new(format!("len of type {}", other.type_name()))),
    }
}

fn part(text: &Text, start: usize, end: usize) -> std::result::Result<Text, FunctionError> {
    let part = text.get(start..end).ok_or_else(out_of_range)?;
    Ok(Text::from(part))
}

/// An index of at most `limit`.
fn position(index: &Value, limit: usize) -> std::result::Result<usize, FunctionError> {
    let position = match index {
        Value::Int(_, number) => usize::try_from(*number).ok(),
        Value::Uint(_, number) => usize::try_from(*number).ok(),
        Value::Nil => return Err(FunctionError::new("cannot index slice/array with nil")),
        other => {
            let found = other.type_name();
            return Err(FunctionError::new(format!("cannot index slice/array with type {found}")));
        }
    };
    position.filter(|&position| position <= limit).ok_or_else(out_of_range)
}

fn out_of_range() -> FunctionError {
    FunctionError::new("index out of range")
}

fn key(index: &Value) -> std::result::Result<Text, FunctionError> {
    match index {
        Value::String(key) => Ok(key.clone()),
        Value::Nil => Err(FunctionError::new(format!("value is nil; should be of type {}", Type::String))),
        other => Err(FunctionError::new(format!("value has type {}; should be {}", other.type_name(), Type::String))),
    }
}
