//! The functions that templates have in ESO besides Go's own: those of sprig, and ESO's.
//!
//! They do what sprig's do, also at the edges, with these differences on purpose:
//!
//! - An error shows no value and no text of a template; `fail` does not show its message.
//! - `keys` and `values` are in the order of the keys, where sprig's order is random.
//! - A map cannot be put into itself; `set` makes a map of nil, for which Go's has no place.
//! - Two versions are equal if they print the same, where Go compares pointers. `now` prints without
//!   the reading of the monotonic clock.
//! - The local time zone is UTC, as in ESO's image.
//! - What would cost much is refused by the [budget](super::Budget).
//!
//! Each file holds the functions of one kind, with a table of their names.

mod case;
mod characters;
mod convert;
mod copying;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod equality;
mod flow;
mod json;
mod json_reader;
mod lists;
mod math;
mod merging;
mod paths;
mod random;
mod regexes;
mod semver;
mod splitting;
mod strings;
#[cfg(test)]
mod tests;
mod types;
mod urls;
mod wrapping;

use super::budget::Buffer;
use super::functions::{Function, FunctionError};
use super::value::{Text, Type, Value};

type Result<T = Value> = std::result::Result<T, FunctionError>;

/// Functions by name.
type Table = &'static [(&'static str, Function)];

/// The tables of all files.
const TABLES: &[Table] = &[
    case::TABLE,
    convert::TABLE,
    copying::TABLE,
    dates::TABLE,
    defaults::TABLE,
    dicts::TABLE,
    encoding::TABLE,
    flow::TABLE,
    json::TABLE,
    lists::TABLE,
    math::TABLE,
    merging::TABLE,
    paths::TABLE,
    random::TABLE,
    regexes::TABLE,
    semver::TABLE,
    splitting::TABLE,
    strings::TABLE,
    types::TABLE,
    urls::TABLE,
    wrapping::TABLE,
];

/// All of them, by name.
pub fn all() -> impl Iterator<Item = (&'static str, Function)> {
    TABLES.iter().copied().flatten().copied()
}

/// `[]string`
const STRINGS: Type = Type::Slice(&Type::String);

/// The string that was written.
fn written(output: Buffer) -> Value {
    Value::String(output.finish().into())
}

/// The arguments are not of the types that the function's table asks for, which the engine checks.
fn mismatch() -> FunctionError {
    FunctionError::new("the arguments do not have the types of the parameters")
}

/// A part of a text that shares no memory with it.
fn part(text: &[u8]) -> Value {
    Value::String(Text::from(text))
}
