//! YAML as Go's `sigs.k8s.io/yaml` reads and writes it, which ESO uses: YAML 1.1 (`yes` is a bool,
//! `010` is eight), converted to JSON, written with sorted keys.
//!
//! How it works: [`document`] reads the first document into a tree, in which [`scalar`] says what a
//! plain text means; [`json`] makes of it what Go's JSON decoder would. [`emit`] writes, with the
//! keys in the order of [`order`] and each text in the style of [`style`].
//!
//! It differs from Go on purpose in this:
//!
//! - The wording of a syntax error is the parser's, with the line.
//! - An error holds no text of the document.
//! - A document may nest 255 collections of a kind.
//! - UTF-16 is not read.
//! - Some documents are read that go-yaml refuses, such as with tabs for indentation.
//! - Where keys cannot be put into one order by go-yaml's rules (`1a`, `2` and `10`), Go's order is
//!   another each time.

mod document;
mod emit;
mod json;
mod order;
mod scalar;
mod style;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::budget::{Budget, Exceeded};
use super::value::{Map, Value};

/// Why YAML cannot be read. Begins as the error of `sigs.k8s.io/yaml`, and holds no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Syntax(String),
    /// It is YAML that has no JSON: a number that is not finite.
    #[error("error converting YAML to JSON: json: unsupported value: {0}")]
    Number(&'static str),
    /// It is YAML that has no JSON: a key of this type.
    #[error("error converting YAML to JSON: unsupported map key of type: {0}")]
    Key(&'static str),
    /// It has another type than what is asked for.
    #[error(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type {wanted}"
    )]
    Type {
        /// The JSON type that was found.
        found: &'static str,
        /// The Go type that is asked for.
        wanted: &'static str,
    },
}

/// Reads a mapping to anything, as `fromYaml` does: all numbers become floats. No document, or
/// `null`, is an empty map.
///
/// # Errors
/// If `text` is not YAML, or no mapping.
pub fn read_map(text: &[u8], budget: &mut Budget) -> Result<Result<Map, Error>, Exceeded> {
    budget.bytes(text.len())?;
    budget.steps(text.len() / 8)?;
    let document = match document::read(text) {
        Ok(document) => document,
        Err(error) => return Ok(Err(error)),
    };
    budget.steps(document.nodes)?;
    Ok(json::map(&document.root))
}

/// Reads any document, as ESO reads what is put into a generic target: integers stay integers. What it
/// gives is not wiped.
///
/// # Errors
/// If `text` is not YAML, or has no JSON.
pub fn read_json(text: &[u8]) -> Result<serde_json::Value, Error> {
    json::any(&document::read(text)?.root)
}

/// Reads a mapping to strings, as ESO reads a template of `KeysAndValues`: numbers and bools become
/// strings, `null` the empty string. No document, or `null`, is an empty map.
///
/// # Errors
/// If `text` is not YAML, or no mapping, or a value is a list or a mapping.
pub fn read_strings(text: &[u8]) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Error> {
    json::strings(&document::read(text)?.root)
}

/// Writes a value as `toYaml` does, with a line feed at the end; `None` where that function gives
/// nothing, since JSON or YAML cannot say the value.
///
/// # Errors
/// If the budget is used up.
pub fn write(value: &Value, budget: &mut Budget) -> Result<Option<Zeroizing<Vec<u8>>>, Exceeded> {
    emit::document(value, budget)
}
