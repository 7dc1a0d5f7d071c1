//! The functions that ESO's templates have in addition to Go's built-in ones: those of sprig, and ESO's own.
//!
//! They behave like sprig's, including edge cases, with these deliberate differences:
//!
//! - An error shows no value and no text of a template; `fail` does not show its message.
//! - `keys` and `values` are sorted by key, whereas sprig's order is random.
//! - A map cannot be put into itself, and `set` turns a nil map into a map, which Go's cannot do.
//! - Two versions are equal if they print the same; Go compares pointers. `now` prints without the monotonic clock.
//! - The local time zone is UTC, as in ESO's image.
//! - Expensive work is rejected by the [budget](super::Budget).
//! - DSA keys are neither generated nor parsed, and the curve P-224 is not supported.
//! - The wording of errors about certificates, keys and PKCS#12 files is ours.
//! - New RSA and ECDSA keys use the operating system's randomness, not that of the [environment](super::Environment).
//!
//! Each file has the functions of one kind, with a table of their names.

mod case;
mod certificate;
mod certificates;
mod characters;
mod ciphers;
mod convert;
mod copying;
#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod crypto_tests;
mod dates;
mod decimal;
mod defaults;
mod der;
mod dicts;
mod digests;
mod encoding;
mod equality;
mod flow;
mod issue;
mod json;
mod json_reader;
mod jwk;
mod keys;
mod keystores;
mod lists;
mod math;
mod merging;
mod mistaken;
mod paths;
mod pbe;
mod pem;
pub mod pfx;
mod pkcs12;
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
mod yaml;

use super::budget::Buffer;
use super::functions::{Function, FunctionError};
use super::value::{Text, Type, Value};

type Result<T = Value> = std::result::Result<T, FunctionError>;

/// Functions by name.
type Table = &'static [(&'static str, Function)];

/// The tables of all files.
const TABLES: &[Table] = &[
    case::TABLE,
    certificates::TABLE,
    ciphers::TABLE,
    convert::TABLE,
    copying::TABLE,
    dates::TABLE,
    defaults::TABLE,
    dicts::TABLE,
    digests::TABLE,
    encoding::TABLE,
    flow::TABLE,
    issue::TABLE,
    json::TABLE,
    jwk::TABLE,
    keystores::TABLE,
    lists::TABLE,
    math::TABLE,
    merging::TABLE,
    paths::TABLE,
    pem::TABLE,
    random::TABLE,
    regexes::TABLE,
    semver::TABLE,
    splitting::TABLE,
    strings::TABLE,
    types::TABLE,
    urls::TABLE,
    wrapping::TABLE,
    yaml::TABLE,
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

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Prefixes the error's message with the failed operation.
fn while_doing(what: &str, error: FunctionError) -> FunctionError {
    match error {
        FunctionError::Failed(reason) => FunctionError::Failed(format!("{what}: {reason}")),
        FunctionError::Exceeded(exceeded) => FunctionError::Exceeded(exceeded),
    }
}

/// The error if the arguments do not have the types in the function's table, which the engine checks.
fn mismatch() -> FunctionError {
    FunctionError::new("the arguments do not have the types of the parameters")
}

/// A part of a text that does not share its memory.
fn part(text: &[u8]) -> Value {
    Value::String(Text::from(text))
}
