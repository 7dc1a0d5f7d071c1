//! GJSON paths, with which `remoteRef.property` selects a part of a JSON value.
//!
//! Follows the [path syntax] of the Go library `github.com/tidwall/gjson` v1.18.0, which ESO 2.9.0 uses, and its
//! leniency: a document is never validated as a whole, so a path finds what it can in broken JSON, with the same result
//! as in Go. It differs deliberately in these points:
//!
//! - The work, the nesting and the output of one lookup are limited ([`TooComplex`]), and so is the work of several
//!   ([`Allowance`]).
//! - A wildcard is always matched exactly; Go gives up on some patterns with many stars.
//! - `@pretty` with `sortKeys` puts `NaN` before other numbers if equal keys are ordered by value; in Go it has no
//!   order.
//!
//! Documents are bytes, because a Go string may contain invalid UTF-8, and so may a secret.
//!
//! How it works: [`eval`] evaluates one stage of the path after the other (stages are separated by `|`). Within a
//! stage, each object or array that is entered parses the next step of the path ([`path`]), because the same text is a
//! key in an object and an index or query in an array. No tree is built: [`scan`] finds where values begin and end.
//!
//! [path syntax]: https://github.com/tidwall/gjson/blob/v1.18.0/SYNTAX.md

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod budget;
mod bytes;
mod eval;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod modifiers;
mod multipath;
mod number;
mod path;
mod pattern;
mod query;
mod scan;
mod search;
mod strings;
mod valid;
mod value;

pub use budget::{Allowance, TooComplex};
pub use bytes::Bytes;
pub use value::{Kind, Value};

use budget::Budget;

/// The value in `json` that `path` names; `None` if it does not exist. A JSON `null` is a value.
///
/// # Errors
///
/// [`TooComplex`] if the path needs more work, nesting or memory than one lookup may have. It is then unknown whether
/// the value exists.
pub fn get<'j>(json: &'j [u8], path: &[u8]) -> Result<Option<Value<'j>>, TooComplex> {
    get_within(json, path, &mut Allowance::new(Allowance::ONE_LOOKUP))
}

/// The same for one of several lookups that share an allowance.
///
/// # Errors
///
/// [`TooComplex`]
pub fn get_within<'j>(json: &'j [u8], path: &[u8], allowance: &mut Allowance) -> Result<Option<Value<'j>>, TooComplex> {
    let mut budget = Budget::within(allowance);
    let given = budget.work();
    let found = eval::get(json, path, &mut budget);
    allowance.take(given, &budget);
    found
}

#[cfg(test)]
mod tests;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
