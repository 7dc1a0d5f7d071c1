//! The functions that templates have in ESO besides Go's own: those of sprig, and ESO's.
//!
//! Each file holds the functions of one kind, with a table of their names.

mod flow;

use super::functions::{Function, FunctionError};
use super::value::Value;

type Result<T = Value> = std::result::Result<T, FunctionError>;

/// Functions by name.
type Table = &'static [(&'static str, Function)];

/// The tables of all files.
const TABLES: &[Table] = &[flow::TABLE];

/// All of them, by name.
pub fn all() -> impl Iterator<Item = (&'static str, Function)> {
    TABLES.iter().copied().flatten().copied()
}
