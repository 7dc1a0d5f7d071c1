//! Semantic versions and constraints, as parsed by sprig's library.

mod constraint;
mod version;

use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Text, Type, Value};
use constraint::Constraints;
use version::Version;

pub(super) const TABLE: Table = &[
    ("semver", Function::fixed(&[Type::String], semver)),
    ("semverCompare", Function::fixed(&[Type::String, Type::String], semver_compare)),
];

/// Why a string is not a version or constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("invalid semantic version")]
    Version,
    #[error("error parsing version segment: value out of range")]
    OutOfRange,
    #[error("version segment starts with 0")]
    LeadingZero,
    #[error("invalid prerelease string")]
    Prerelease,
    #[error("invalid metadata string")]
    Metadata,
    #[error("improper constraint")]
    Constraint,
    #[error("constraint parser error")]
    ConstraintVersion,
}

impl From<Error> for FunctionError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

fn parse(text: &Text) -> Result<Version> {
    let text = std::str::from_utf8(text).map_err(|_| Error::Version)?;
    Ok(Version::parse(text)?)
}

fn semver(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(Value::object(parse(text)?))
}

/// Whether a version satisfies a constraint.
fn semver_compare(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(constraint), Value::String(version)] = arguments else { return Err(mismatch()) };
    // Ranges are found with a regular expression and replaced one by one.
    call.budget.steps(constraint.len().saturating_mul(constraint.len()) / 1024 + version.len())?;
    let constraint = std::str::from_utf8(constraint).map_err(|_| Error::Constraint)?;
    let constraints = Constraints::parse(constraint)?;
    Ok(Value::Bool(constraints.allow(&parse(version)?)))
}
