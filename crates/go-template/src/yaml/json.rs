//! What Go's JSON decoder makes of a document.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Error;
use super::document::{Entries, Node};
use super::scalar;
use crate::value::{List, Map, Type, Value};

const ANY_MAP: &str = "map[string]interface {}";
const STRING_MAP: &str = "map[string]string";

/// A document as a map with values of any type.
pub(super) fn map(node: &Node) -> Result<Map, Error> {
    finite(node)?;
    match node {
        Node::Null => Ok(Map::new(&Type::Any)),
        Node::Map(entries) => Ok(any_map(entries)),
        other => Err(Error::Type { found: type_name(other), wanted: ANY_MAP }),
    }
}

fn any_map(entries: &Entries) -> Map {
    let entries = entries.iter().map(|(key, node)| (key.clone(), value(node))).collect();
    Map::from_entries(&Type::Any, entries)
}

#[allow(clippy::cast_precision_loss, reason = "Go reads every JSON number as a float")]
fn value(node: &Node) -> Value {
    match node {
        Node::Null => Value::Nil,
        Node::Bool(value) => Value::Bool(*value),
        Node::Int(number) => Value::Float(*number as f64),
        Node::Uint(number) => Value::Float(*number as f64),
        Node::Float(number) => Value::Float(*number),
        Node::Text(text) => Value::String(text.clone()),
        Node::List(items) => Value::List(List::new(&Type::Any, items.iter().map(value).collect())),
        Node::Map(entries) => Value::Map(any_map(entries)),
    }
}

/// A document as JSON.
#[allow(clippy::cast_precision_loss, reason = "Go makes a float of what is not an int64")]
pub(super) fn any(node: &Node) -> Result<serde_json::Value, Error> {
    Ok(match node {
        Node::Null => serde_json::Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Int(number) => (*number).into(),
        Node::Uint(number) => (*number as f64).into(),
        Node::Float(number) => {
            // JSON writes a whole number that is not large without a point, so it becomes an integer again.
            finite(node)?;
            match integer(*number) {
                Some(Integer::Signed(integer)) => integer.into(),
                _ => (*number).into(),
            }
        }
        Node::Text(text) => valid(text).as_str().into(),
        Node::List(items) => items.iter().map(any).collect::<Result<_, _>>()?,
        Node::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| Ok((valid(key).to_string(), any(node)?)));
            serde_json::Value::Object(entries.collect::<Result<_, Error>>()?)
        }
    })
}

/// A whole number.
pub(super) enum Integer {
    Signed(i64),
    Unsigned(u64),
}

/// The integer that a float is in JSON, which writes a whole number of moderate size without a point or exponent, with
/// as few digits as distinguish it from others.
pub(super) fn integer(number: f64) -> Option<Integer> {
    let text = number.to_string();
    text.parse().map(Integer::Signed).or_else(|_| text.parse().map(Integer::Unsigned)).ok()
}

/// A document as a map of strings.
pub(super) fn strings(node: &Node) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Error> {
    match node {
        Node::Null => Ok(BTreeMap::new()),
        Node::Map(entries) => {
            entries.iter().map(|(key, node)| Ok((valid(key).to_string(), Zeroizing::new(string(node)?)))).collect()
        }
        other => {
            finite(other)?;
            Err(Error::Type { found: type_name(other), wanted: STRING_MAP })
        }
    }
}

fn string(node: &Node) -> Result<Vec<u8>, Error> {
    Ok(match node {
        Node::Null => Vec::new(),
        Node::Bool(value) => value.to_string().into_bytes(),
        Node::Int(number) => number.to_string().into_bytes(),
        Node::Uint(number) => number.to_string().into_bytes(),
        Node::Float(number) => scalar::float32_text(*number).into_bytes(),
        Node::Text(text) => text.to_vec(),
        Node::List(_) | Node::Map(_) => {
            finite(node)?;
            return Err(Error::Type { found: type_name(node), wanted: "string" });
        }
    })
}

/// Fails if there is a number that JSON cannot express.
fn finite(node: &Node) -> Result<(), Error> {
    match node {
        Node::Float(number) if number.is_nan() => Err(Error::Number("NaN")),
        Node::Float(number) if number.is_infinite() => Err(Error::Number(if *number > 0.0 { "+Inf" } else { "-Inf" })),
        Node::List(items) => items.iter().try_for_each(finite),
        Node::Map(entries) => entries.values().try_for_each(finite),
        _ => Ok(()),
    }
}

const fn type_name(node: &Node) -> &'static str {
    match node {
        Node::Null => "null",
        Node::Bool(_) => "bool",
        Node::Int(_) | Node::Uint(_) | Node::Float(_) => "number",
        Node::Text(_) => "string",
        Node::List(_) => "array",
        Node::Map(_) => "object",
    }
}

/// Text in which U+FFFD replaces each invalid byte, as in Go's JSON encoder.
pub(super) fn valid(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * bytes.len()));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|_| text.push(char::REPLACEMENT_CHARACTER));
    }
    text
}
