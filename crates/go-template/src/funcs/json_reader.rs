//! Parses JSON as Go's `encoding/json` does into an `interface {}`.

use std::collections::BTreeMap;

use go_json::{Build, Malformed, Scalar};

use super::Result;
use super::characters;
use crate::budget::{Budget, Buffer};
use crate::functions::FunctionError;
use crate::value::{List, Map, Text, Type, Value};

/// A parsed document.
pub(super) struct Document {
    pub(super) value: Value,
    /// A number was too large for a float and was replaced by null.
    pub(super) has_overflow: bool,
}

/// Parses a document. Numbers become floats.
pub(super) fn read(text: &[u8], budget: &mut Budget) -> Result<Document> {
    let mut builder = Builder { has_overflow: false, values: 0, budget };
    let value = go_json::read(text, &mut builder)?;
    Ok(Document { value, has_overflow: builder.has_overflow })
}

impl From<Malformed> for FunctionError {
    fn from(malformed: Malformed) -> Self {
        Self::new(malformed.to_string())
    }
}

struct Builder<'b> {
    has_overflow: bool,
    /// The number of values, including those in incomplete lists.
    values: usize,
    budget: &'b mut Budget,
}

impl Build for Builder<'_> {
    type Value = Value;
    type Name = Text;
    type Error = FunctionError;

    fn begin(&mut self) -> Result<()> {
        self.budget.steps(1)?;
        self.values += 1;
        Ok(self.budget.room(self.values * size_of::<Value>())?)
    }

    fn descend(&mut self) -> Result<()> {
        Ok(self.budget.descend()?)
    }

    // Also after an error, which may be ignored.
    fn ascend(&mut self) {
        self.budget.ascend();
    }

    fn scalar(&mut self, scalar: Scalar<'_>) -> Result {
        Ok(match scalar {
            Scalar::Null => Value::Nil,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Number(number) => Value::Float(number),
            Scalar::TooLarge => {
                self.has_overflow = true;
                Value::Nil
            }
            Scalar::String(text) => Value::String(self.name(text)?),
        })
    }

    fn name(&mut self, name: go_json::Text<'_>) -> Result<Text> {
        let mut output = Buffer::default();
        name.chars().try_for_each(|character| characters::push(&mut output, character, self.budget))?;
        Ok(output.finish().into())
    }

    fn list(&mut self, items: Vec<Value>) -> Value {
        Value::List(List::new(&Type::Any, items))
    }

    fn object(&mut self, entries: BTreeMap<Text, Value>) -> Value {
        Value::Map(Map::from_entries(&Type::Any, entries))
    }
}
