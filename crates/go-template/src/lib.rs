//! Go's `text/template`, as ESO runs it: engine v2, with `missingkey=error`.
//!
//! Implements the language of Go 1.26 over strings of arbitrary bytes. A template is data written by somebody else: it
//! has no access to I/O, and its time, memory and nesting are limited ([`Limits`], [`Allowance`]).
//!
//! How it works: [`parser`] splits the text into tokens and parses them into the tree of [`ast`], which [`exec`] walks.
//! [`value`] has the values of Go that occur, [`format`] prints them as Go's `fmt` does, [`builtins`] are the functions
//! that every template has, and [`funcs`] those that ESO adds. Time and randomness come from an [`Environment`].
//!
//! It differs from Go deliberately in these points:
//!
//! - An error shows neither a value nor the text of a string, but a type instead. A parse error also has a column.
//! - A map cannot be put into itself. Printing such a map would crash a Go program.
//! - A constant replaces addresses, which Go prints with `%p`.
//! - If a list is sorted during a range, the current element does not change.
//! - A time can only be printed with the verbs for text; with others, Go prints its internals.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ast;
mod budget;
mod builtins;
mod environment;
mod error;
mod exec;
mod format;
pub mod funcs;
mod functions;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod memory;
mod names;
mod parser;
#[cfg(test)]
mod tests;
mod time;
mod value;
pub mod yaml;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub use budget::{Allowance, Budget, Buffer, Exceeded, Limits};
pub use environment::Environment;
pub use error::{Context, Details, Error};
pub use functions::{Body, Call, Function, FunctionError, Functions, Native, Volatile, VolatileCall};
pub use parser::Delimiters;
pub use value::{Counted, Int, List, Map, Member, Object, SetError, Text, Type, Uint, Value};

use ast::{Definition, Node};
use parser::Parsed;

/// How many bytes of a template are parsed in the time of a step.
const BYTES_PARSED_PER_STEP: usize = 64;

/// What templates share.
#[derive(Clone)]
pub struct Engine {
    delimiters: Delimiters,
    functions: Functions,
    limits: Limits,
    environment: Environment,
    missing_keys: MissingKeys,
}

/// The value of a field for a key that the map does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKeys {
    /// An error, as with Go's `missingkey=error`.
    #[default]
    Fail,
    /// No value, which is Go's default.
    NoValue,
}

impl Engine {
    /// The most texts, actions and operands of a template. Each takes some hundred bytes of memory.
    pub const MAX_PARTS: usize = parser::MAX_PARTS;

    /// An engine with these functions in addition to Go's own, which are replaced by functions with the same names. It
    /// uses the system's clock and randomness, unless [`Engine::with_environment`] sets others.
    #[must_use]
    pub fn new(functions: impl IntoIterator<Item = (&'static str, Function)>) -> Self {
        Self {
            delimiters: Delimiters::default(),
            functions: Functions::new().with(builtins::all()).with(functions),
            limits: Limits::default(),
            environment: Environment::system(),
            missing_keys: MissingKeys::default(),
        }
    }

    /// With other delimiters.
    #[must_use]
    pub fn with_delimiters(self, delimiters: Delimiters) -> Self {
        Self { delimiters, ..self }
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// With another clock and source of randomness than the system's.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// With another treatment of missing keys.
    #[must_use]
    pub fn with_missing_keys(self, missing_keys: MissingKeys) -> Self {
        Self { missing_keys, ..self }
    }

    /// Parses a template. `name` is used in errors.
    ///
    /// # Errors
    /// If the template is malformed, or uses a function or variable that does not exist.
    pub fn parse(&self, name: &str, text: &[u8]) -> Result<Template<'_>, Error> {
        let is_function = |name: &[u8]| self.functions.get(name).is_some();
        let Parsed { definitions, parts } = parser::parse(name, text, &self.delimiters, &is_function)?;
        Ok(Template { engine: self, name: name.to_owned(), text: Zeroizing::new(text.to_vec()), definitions, parts })
    }

    /// Parses a template as one of several that share an allowance: a step per 64 bytes of its text, and one for each
    /// of its parts.
    ///
    /// # Errors
    /// As [`Engine::parse`], and if the allowance is used up.
    pub fn parse_within(&self, name: &str, text: &[u8], allowance: &mut Allowance) -> Result<Template<'_>, Error> {
        let exceeded = |exceeded: Exceeded| Error::at(name, text, 0, exceeded.to_string());
        allowance.take_steps(text.len() / BYTES_PARSED_PER_STEP).map_err(exceeded)?;
        let template = self.parse(name, text)?;
        allowance.take_steps(template.parts).map_err(exceeded)?;
        Ok(template)
    }
}

/// A float as Go's `fmt` prints it with `%v`.
#[must_use]
pub fn format_float(number: f64) -> String {
    format::float(number)
}

/// A template that can be rendered.
pub struct Template<'e> {
    engine: &'e Engine,
    name: String,
    /// Kept for the locations of errors. It may come from a Secret.
    text: Zeroizing<Vec<u8>>,
    definitions: BTreeMap<Vec<u8>, Definition>,
    parts: usize,
}

impl Template<'_> {
    /// Whether it uses a function that depends on the time or on randomness, so that another rendering with the same
    /// data may differ. The templates that it defines are included, whether they are used or not.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        let function = |name: &[u8]| self.engine.functions.get(name);
        let mut is_volatile = |name: &[u8]| function(name).is_some_and(|function| function.is_volatile());
        self.definitions
            .values()
            .flat_map(|definition| &definition.body)
            .any(|node: &Node| node.calls(&mut is_volatile))
    }

    /// The names at the top of the data that it reads as fields, such as `a` for `{{ .a.b }}`: rendering it with data that lacks one of them may
    /// fail. What functions read, as `index` does, is not known.
    #[must_use]
    pub fn names(&self) -> std::collections::BTreeSet<String> {
        self.definitions.get(self.name.as_bytes()).map(|definition| names::of(&definition.body)).unwrap_or_default()
    }

    /// Renders the template. `data` is what the dot stands for at first.
    ///
    /// # Errors
    /// If a function fails, a key is missing, a type does not match, or a limit is exceeded.
    pub fn render(&self, data: &Value) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.render_within(data, &mut Allowance::new())
    }

    /// Renders the template as one of several that share an allowance.
    ///
    /// # Errors
    /// As [`Template::render`], and if the allowance is used up.
    pub fn render_within(&self, data: &Value, allowance: &mut Allowance) -> Result<Zeroizing<Vec<u8>>, Error> {
        exec::render(self, data, allowance)
    }
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
