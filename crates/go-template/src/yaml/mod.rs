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

use super::budget::{Allowance, Budget, Exceeded};
use super::value::{Map, Value};

/// Why YAML cannot be read. Begins as the error of `sigs.k8s.io/yaml`, and holds no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not YAML.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Syntax(String),
    /// It is YAML that has no JSON: a number that is not finite.
    #[error("error converting YAML to JSON: json: unsupported value: {0}")]
    Number(&'static str),
    /// It is YAML that has no JSON: a key of this type.
    #[error("error converting YAML to JSON: unsupported map key of type: {0}")]
    Key(&'static str),
    /// A mapping has this key twice, where that is refused.
    #[error("the key {0:?} is given twice")]
    Repeated(String),
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
    /// It takes more than there is room for.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

/// What documents may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Nodes, with aliases replaced.
    pub(crate) nodes: usize,
    /// Bytes of memory as values, with aliases replaced.
    pub(crate) bytes: usize,
}

impl Room {
    /// The most nodes: an object that Kubernetes stores has far fewer.
    pub(crate) const NODES: usize = 100_000;

    /// For the files of the person who runs the program.
    const OF_OWN_FILES: Self = Self { nodes: usize::MAX, bytes: usize::MAX };
}

/// How many bytes of YAML are read in the time of a step.
const BYTES_A_STEP: usize = 8;

/// Reads a document, and takes what that costs from the allowance.
fn read(text: &[u8], allowance: &mut Allowance) -> Result<document::Node, Error> {
    allowance.take_steps(text.len() / BYTES_A_STEP)?;
    document::read(text, &mut allowance.documents)
}

/// Reads a mapping to anything, as `fromYaml` does: all numbers become floats. No document, or
/// `null`, is an empty map.
///
/// # Errors
/// If `text` is not YAML, or no mapping.
pub fn read_map(text: &[u8], budget: &mut Budget) -> Result<Result<Map, Error>, Exceeded> {
    budget.steps(text.len() / BYTES_A_STEP)?;
    // The tree and the map that is made of it.
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

/// Reads any document, as ESO reads what is put into a generic target: integers stay integers. What it
/// gives is not wiped.
///
/// # Errors
/// If `text` is not YAML, or has no JSON, or if the allowance is used up.
pub fn read_json(text: &[u8], allowance: &mut Allowance) -> Result<serde_json::Value, Error> {
    json::any(&read(text, allowance)?)
}

/// A document of a text that may have several.
pub struct Document {
    /// The line on which its content begins, from 1.
    pub line: usize,
    /// What it says. It is not wiped.
    pub value: serde_json::Value,
}

/// Why a text with documents cannot be read. Of the text it holds keys alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct DocumentsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads all documents of a text, as `kubectl` reads manifests, but for keys that are given twice, of which it would drop one
/// without a word.
///
/// # Errors
/// If `text` is not YAML, has no JSON, or a mapping has a key twice.
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

/// Reads a mapping to strings, as ESO reads a template of `KeysAndValues`: numbers and bools become
/// strings, `null` the empty string. No document, or `null`, is an empty map.
///
/// # Errors
/// If `text` is not YAML, or no mapping, or a value is a list or a mapping, or if the allowance is used up.
pub fn read_strings(text: &[u8], allowance: &mut Allowance) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Error> {
    json::strings(&read(text, allowance)?)
}

/// Writes a value as `toYaml` does, with a line feed at the end; `None` where that function gives
/// nothing, since JSON or YAML cannot say the value.
///
/// # Errors
/// If the budget is used up.
pub fn write(value: &Value, budget: &mut Budget) -> Result<Option<Zeroizing<Vec<u8>>>, Exceeded> {
    emit::document(value, budget)
}
