//! Checks that ClusterExternalSecrets and ClusterPushSecrets share: both contain the spec of the objects that they create.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;
use crate::api::{GoDuration, Parsed};

/// The spec of the objects, as far as this program knows its fields. `field` is where it is.
///
/// # Errors
/// The field that does not fit.
pub(super) fn read<T: Clone + DeserializeOwned>(field: &str, spec: &Value) -> Result<Box<T>, Problem> {
    let parsed: Parsed<T> =
        serde_json::from_value(spec.clone()).map_err(|error| Problem::new(field, error.to_string()))?;
    match parsed.get() {
        Ok(spec) => Ok(Box::new(spec.clone())),
        Err(unfit) => Err(below(field, Problem::new(unfit.path.clone(), unfit.problem.clone()))),
    }
}

/// Moves a problem of the created object's `spec` to the field that contains that spec.
pub(super) fn below(field: &str, problem: Problem) -> Problem {
    let rest = problem.field.strip_prefix("spec").unwrap_or(&problem.field);
    Problem { field: format!("{field}{rest}"), ..problem }
}

/// An invalid `spec.refreshTime` counts as absent, so that the rest of the object is reconciled.
pub(super) fn refresh_time(given: Option<&str>) -> Option<Problem> {
    let error = given?.parse::<GoDuration>().err()?;
    Some(Problem::new("spec.refreshTime", format!("{error}; it counts as 1h until then")))
}
