//! Converts between YAML and values.

use std::collections::BTreeMap;

use super::{Result, Table, mismatch};
use crate::functions::{Call, Function};
use crate::value::{Map, Text, Type, Value};
use crate::yaml;

pub(super) const TABLE: Table =
    &[("fromYaml", Function::fixed(&[Type::String], from_yaml)), ("toYaml", Function::fixed(&[Type::Any], to_yaml))];

/// Parses a mapping. Anything else results in a map with the entry `Error`.
fn from_yaml(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(Value::Map(match yaml::read_map(text, call.budget)? {
        Ok(map) => map,
        Err(error) => {
            let entry = (Text::from("Error"), Value::string(&error.to_string()));
            Map::from_entries(&Type::Any, BTreeMap::from([entry]))
        }
    }))
}

/// YAML without the final line feed; empty for a value that cannot be written.
fn to_yaml(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let Some(text) = yaml::write(value, call.budget)? else { return Ok(Value::string("")) };
    Ok(Value::String(text.strip_suffix(b"\n").unwrap_or(&text).into()))
}
