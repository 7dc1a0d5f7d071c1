//! YAML as read and written by Go's `sigs.k8s.io/yaml`, which ESO uses: YAML 1.1 (`yes` is a bool, `010` is eight),
//! converted to JSON, written with sorted keys.
//!
//! How it works: [`document`] parses the first document into a tree, and [`scalar`] determines the meaning of plain
//! text; [`json`] turns the tree into what Go's JSON decoder would return. [`emit`] writes, with the keys in the order
//! of [`order`] and each text in the style of [`style`].
//!
//! It differs from Go deliberately in these points:
//!
//! - The wording of a syntax error is the parser's, with the line.
//! - An error contains no text of the document.
//! - A document may nest 255 collections of a kind.
//! - UTF-16 is not read.
//! - Some documents are accepted that go-yaml rejects, for example with tabs for indentation.
//! - If go-yaml's rules define no order for keys (`1a`, `2` and `10`), Go's order varies each time.

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

use super::budget::{Allowance, Budget, Exceeded};
use super::value::{Map, Value};

/// Why YAML cannot be read. The text begins like the error of `sigs.k8s.io/yaml`, and contains no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not YAML.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Syntax(String),
    /// It is YAML that JSON cannot express: a number that is not finite.
    #[error("error converting YAML to JSON: json: unsupported value: {0}")]
    Number(&'static str),
    /// It is YAML that JSON cannot express: a key of this type.
    #[error("error converting YAML to JSON: unsupported map key of type: {0}")]
    Key(&'static str),
    /// A mapping repeats this key, which is an error here.
    #[error("the key {0:?} is given twice")]
    Repeated(String),
    /// Its type is not the requested one.
    #[error(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type {wanted}"
    )]
    Type {
        /// The JSON type found.
        found: &'static str,
        /// The requested Go type.
        wanted: &'static str,
    },
    /// It exceeds a limit.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

/// The limits for documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Nodes, with aliases expanded.
    pub(crate) nodes: usize,
    /// Bytes of memory as values, with aliases expanded.
    pub(crate) bytes: usize,
}

impl Room {
    /// The most nodes: an object that Kubernetes stores has far fewer.
    pub(crate) const NODES: usize = 100_000;

    /// For files of the person who runs the program.
    const OF_OWN_FILES: Self = Self { nodes: usize::MAX, bytes: usize::MAX };
}

/// How many bytes of YAML are parsed in the time of a step.
const BYTES_A_STEP: usize = 8;

/// Parses a document, and charges the cost to the allowance.
fn read(text: &[u8], allowance: &mut Allowance) -> Result<document::Node, Error> {
    allowance.take_steps(text.len() / BYTES_A_STEP)?;
    document::read(text, &mut allowance.documents)
}

/// Parses a mapping with values of any type, like `fromYaml`: all numbers become floats. Without a document, or for
/// `null`, the map is empty.
///
/// # Errors
/// If `text` is not YAML, or not a mapping.
pub fn read_map(text: &[u8], budget: &mut Budget) -> Result<Result<Map, Error>, Exceeded> {
    budget.steps(text.len() / BYTES_A_STEP)?;
    // The tree, and the map that is made from it.
    let before = Room { nodes: Room::NODES, bytes: budget.room_left() / 2 };
    let mut room = before;
    let tree = match document::read(text, &mut room) {
        Ok(tree) => tree,
        Err(Error::Exceeded(Exceeded::Document(_))) => return Err(budget.no_memory()),
        Err(Error::Exceeded(exceeded)) => return Err(exceeded),
        Err(error) => return Ok(Err(error)),
    };
    budget.steps(before.nodes - room.nodes)?;
    Ok(json::map(&tree))
}

/// Parses any document, as ESO does for a generic target: integers stay integers. The result is not wiped.
///
/// # Errors
/// If `text` is not YAML, cannot be expressed in JSON, or exhausts the allowance.
pub fn read_json(text: &[u8], allowance: &mut Allowance) -> Result<serde_json::Value, Error> {
    json::any(&read(text, allowance)?)
}

/// A document of a text that may have several.
pub struct Document {
    /// The line where its content begins, from 1.
    pub line: usize,
    /// Its content, which is not wiped.
    pub value: serde_json::Value,
}

/// Why a text with documents cannot be parsed. Contains only keys of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct DocumentsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Parses all documents of a text, as `kubectl` parses manifests, except for repeated keys, which kubectl drops
/// silently.
///
/// # Errors
/// If `text` is not YAML, cannot be expressed in JSON, or a mapping repeats a key.
pub fn read_documents(text: &[u8]) -> Result<Vec<Document>, DocumentsError> {
    let mut room = Room::OF_OWN_FILES;
    let documents = document::read_documents(text, usize::MAX, document::RepeatedKeys::Refused, &mut room)
        .map_err(|failed| DocumentsError { line: failed.line, problem: problem(failed.error) })?;
    let read = |document: document::Document| match json::any(&document.root) {
        Ok(value) => Ok(Document { line: document.line, value }),
        Err(error) => Err(DocumentsError { line: document.line, problem: problem(error) }),
    };
    documents.into_iter().map(read).collect()
}

/// Reads the first document of a text as `kubectl apply` does: of a key that is given twice the last value counts. No document is `null`.
///
/// # Errors
/// If `text` is not YAML, or has no JSON.
pub fn read_manifest(text: &[u8]) -> Result<serde_json::Value, DocumentsError> {
    let mut room = Room::OF_OWN_FILES;
    let documents = document::read_documents(text, 1, document::RepeatedKeys::LastCounts, &mut room)
        .map_err(|failed| DocumentsError { line: failed.line, problem: problem(failed.error) })?;
    let Some(document) = documents.into_iter().next() else { return Ok(serde_json::Value::Null) };
    json::any(&document.root).map_err(|error| DocumentsError { line: document.line, problem: problem(error) })
}

/// What is wrong, without the line.
fn problem(error: Error) -> String {
    match error {
        Error::Syntax(problem) => match problem.split_once(": ") {
            Some((line, problem)) if line.starts_with("line ") => problem.to_owned(),
            _ => problem,
        },
        Error::Number(number) => format!("the number {number} is none that JSON has"),
        Error::Key(kind) => format!("a key is of the type {kind}; put it in quotes"),
        error => error.to_string(),
    }
}

/// Parses a mapping with strings as values, as ESO does for a template of `KeysAndValues`: numbers and bools become
/// strings, `null` the empty string. Without a document, or for `null`, the map is empty.
///
/// # Errors
/// If `text` is not YAML or not a mapping, a value is a list or a mapping, or the allowance is used up.
pub fn read_strings(text: &[u8], allowance: &mut Allowance) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Error> {
    json::strings(&read(text, allowance)?)
}

/// Writes a value like `toYaml`, with a final line feed; `None` if that function returns nothing, because JSON or YAML
/// cannot express the value.
///
/// # Errors
/// If the budget is used up.
pub fn write(value: &Value, budget: &mut Budget) -> Result<Option<Zeroizing<Vec<u8>>>, Exceeded> {
    emit::document(value, budget)
}
