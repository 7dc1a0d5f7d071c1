//! Overwrites what is derived from values.

use serde_json::Value;
use zeroize::Zeroize;

/// Wipes the strings in a value before its memory is freed.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
