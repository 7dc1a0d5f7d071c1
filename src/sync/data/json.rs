//! JSON as Go's `encoding/json` reads it into `any` and writes it, within the budget of an ExternalSecret. Values are wiped.

use std::collections::BTreeMap;
use std::convert::Infallible;

use go_json::{Build, Escape, Malformed, Memory, Scalar, Style, Text, Writer};
use zeroize::Zeroizing;

use crate::budget::{Budget, Exceeded};

/// The deepest nesting (in Go: 10,000).
const MAX_DEPTH: usize = 256;

/// A JSON value.
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(Zeroizing<String>),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// Parses `text`; `None` if it is invalid or too deeply nested.
///
/// # Errors
/// If that exceeds `budget`.
pub(super) fn parse(text: &[u8], budget: &Budget) -> Result<Option<Json>, Exceeded> {
    budget.values(text.len())?;
    match go_json::read(text, &mut Builder { depth: 0, budget }) {
        Ok(value) => Ok(Some(value)),
        Err(Refusal::Exceeded(exceeded)) => Err(exceeded),
        Err(Refusal::Malformed) => Ok(None),
    }
}

/// `value` as text.
pub(super) fn print(value: &Json, escape: Escape) -> Zeroizing<Vec<u8>> {
    go_json::in_memory(Style { indent: b"", escape }, |writer| write(writer, value))
}

/// Why there is no value.
enum Refusal {
    Malformed,
    Exceeded(Exceeded),
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

struct Builder<'b> {
    depth: usize,
    budget: &'b Budget,
}

impl Build for Builder<'_> {
    type Value = Json;
    type Name = String;
    type Error = Refusal;

    fn begin(&mut self) -> Result<(), Refusal> {
        self.budget.nodes(1).map_err(Refusal::Exceeded)
    }

    fn descend(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Refusal::Malformed) } else { Ok(()) }
    }

    fn ascend(&mut self) {
        self.depth -= 1;
    }

    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<Json, Refusal> {
        Ok(match scalar {
            Scalar::Null => Json::Null,
            Scalar::Bool(value) => Json::Bool(value),
            Scalar::Number(number) => Json::Number(number),
            Scalar::TooLarge => return Err(Refusal::Malformed),
            Scalar::String(text) => Json::String(text.copied()),
        })
    }

    fn name(&mut self, name: Text<'_>) -> Result<String, Refusal> {
        Ok(std::mem::take(&mut *name.copied()))
    }

    fn list(&mut self, items: Vec<Json>) -> Json {
        Json::Array(items)
    }

    fn object(&mut self, entries: BTreeMap<String, Json>) -> Json {
        Json::Object(entries)
    }
}

fn write(writer: &mut Writer<Memory>, value: &Json) -> Result<(), Infallible> {
    match value {
        Json::Null => writer.literal("null"),
        Json::Bool(value) => writer.literal(if *value { "true" } else { "false" }),
        Json::Number(number) => writer.number(*number),
        Json::String(text) => writer.string(text.as_bytes()),
        Json::Array(items) => {
            writer.open(b'[')?;
            for item in items {
                writer.item()?;
                write(writer, item)?;
            }
            writer.close(b']')
        }
        Json::Object(entries) => {
            writer.open(b'{')?;
            for (name, item) in entries {
                writer.name(name.as_bytes())?;
                write(writer, item)?;
            }
            writer.close(b'}')
        }
    }
}
