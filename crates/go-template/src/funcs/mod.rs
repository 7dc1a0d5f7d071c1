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
//! - DSA keys are neither made nor read, and of curves P-224 is not known.
//! - The wording of an error about a certificate, a key or a PKCS#12 file is ours.
//! - New keys of RSA and ECDSA come from the randomness of the operating system, not of the
//!   [environment](super::Environment).
//!
//! Each file holds the functions of one kind, with a table of their names.

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

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The error, with what was done before its message.
fn while_doing(what: &str, error: FunctionError) -> FunctionError {
    match error {
        FunctionError::Failed(reason) => FunctionError::Failed(format!("{what}: {reason}")),
        FunctionError::Exceeded(exceeded) => FunctionError::Exceeded(exceeded),
    }
}

/// The arguments are not of the types that the function's table asks for, which the engine checks.
fn mismatch() -> FunctionError {
    FunctionError::new("the arguments do not have the types of the parameters")
}

/// A part of a text that shares no memory with it.
fn part(text: &[u8]) -> Value {
    Value::String(Text::from(text))
}
