//! Maps. `set` and `unset` change the map that they are given.

use std::collections::BTreeMap;

use super::convert::{string, string_list};
use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{List, Map, SetError, Text, Type, Value};

pub(super) const TABLE: Table = &[
    ("dict", Function::variadic(&[], Type::Any, dict)),
    ("dig", Function::variadic(&[], Type::Any, dig)),
    ("get", Function::fixed(&[Type::DICT, Type::String], get)),
    ("hasKey", Function::fixed(&[Type::DICT, Type::String], has_key)),
    ("keys", Function::variadic(&[], Type::DICT, keys)),
    ("omit", Function::variadic(&[Type::DICT], Type::String, omit)),
    ("pick", Function::variadic(&[Type::DICT], Type::String, pick)),
    ("pluck", Function::variadic(&[Type::String], Type::DICT, pluck)),
    ("set", Function::fixed(&[Type::DICT, Type::String, Type::Any], set)),
    ("unset", Function::fixed(&[Type::DICT, Type::String], unset)),
    ("values", Function::fixed(&[Type::DICT], values)),
];

impl From<SetError> for FunctionError {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Cycle => Self::new(error.to_string()),
            SetError::Exceeded(exceeded) => Self::Exceeded(exceeded),
        }
    }
}

/// A `map[string]interface {}`.
fn any_map(entries: BTreeMap<Text, Value>) -> Value {
    Value::Map(Map::from_entries(&Type::Any, entries))
}

/// A map from alternating keys and values. A key without a value gets an empty string.
fn dict(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut entries = BTreeMap::new();
    for pair in arguments.chunks(2) {
        let Some(key) = pair.first() else { continue };
        let key = string(key, call.budget)?;
        entries.insert(key, pair.get(1).cloned().unwrap_or_else(|| Value::string("")));
    }
    Ok(any_map(entries))
}

/// Follows keys from map to map. Returns the value found, or the last but one argument.
fn dig(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [keys @ .., default, root] = arguments else { return Err(too_few()) };
    if keys.is_empty() {
        return Err(too_few());
    }
    let mut found = root.clone();
    // Sprig checks all keys first.
    if let Some(other) = keys.iter().find(|key| !matches!(key, Value::String(_))) {
        found.type_of().filter(|found| *found == Type::DICT).ok_or_else(|| not_a("map[string]interface {}", root))?;
        return Err(not_a("string", other));
    }
    for key in keys {
        let Value::String(key) = key else { return Err(mismatch()) };
        match &found {
            Value::Map(map) if *map.element_type() == Type::Any => match map.get(key) {
                Some(value) => found = value,
                None => return Ok(default.clone()),
            },
            other => return Err(not_a("map[string]interface {}", other)),
        }
    }
    Ok(found)
}

fn too_few() -> FunctionError {
    FunctionError::new("dig needs at least three arguments")
}

fn not_a(wanted: &str, found: &Value) -> FunctionError {
    FunctionError::new(format!("interface conversion: interface {{}} is {}, not {wanted}", found.type_name()))
}

fn get(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Map(map), Value::String(key)] = arguments else { return Err(mismatch()) };
    Ok(map.get(key).unwrap_or_else(|| Value::string("")))
}

fn has_key(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Map(map), Value::String(key)] = arguments else { return Err(mismatch()) };
    Ok(Value::Bool(map.get(key).is_some()))
}

fn keys(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let mut keys = Vec::new();
    for map in arguments {
        keys.extend(entries(map)?.into_iter().map(|(key, _)| key));
    }
    Ok(string_list(keys))
}

fn values(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [map] = arguments else { return Err(mismatch()) };
    let values = entries(map)?.into_iter().map(|(_, value)| value).collect();
    Ok(Value::List(List::new(&Type::Any, values)))
}

/// The current entries of a map.
fn entries(map: &Value) -> Result<Vec<(Text, Value)>> {
    let Value::Map(map) = map else { return Err(mismatch()) };
    Ok(map.snapshot())
}

fn omit(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [map, omitted @ ..] = arguments else { return Err(mismatch()) };
    let mut entries: BTreeMap<Text, Value> = entries(map)?.into_iter().collect();
    for key in omitted {
        let Value::String(key) = key else { return Err(mismatch()) };
        entries.remove(key);
    }
    Ok(any_map(entries))
}

fn pick(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Map(map), keys @ ..] = arguments else { return Err(mismatch()) };
    let mut picked = BTreeMap::new();
    for key in keys {
        let Value::String(key) = key else { return Err(mismatch()) };
        if let Some(value) = map.get(key) {
            picked.insert(key.clone(), value);
        }
    }
    Ok(any_map(picked))
}

/// The values of one key in several maps.
fn pluck(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(key), maps @ ..] = arguments else { return Err(mismatch()) };
    call.budget.read(key.len().saturating_mul(maps.len()))?;
    let value = |map: &Value| if let Value::Map(map) = map { map.get(key) } else { None };
    Ok(Value::List(List::new(&Type::Any, maps.iter().filter_map(value).collect())))
}

fn set(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Map(map), Value::String(key), value] = arguments else { return Err(mismatch()) };
    map.set(key.clone(), value.clone(), call.budget)?;
    Ok(Value::Map(map.clone()))
}

fn unset(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Map(map), Value::String(key)] = arguments else { return Err(mismatch()) };
    map.remove(key);
    Ok(Value::Map(map.clone()))
}
