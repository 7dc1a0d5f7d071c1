//! Values that are written in the generator itself.

use super::values::{Values, secret};
use crate::api::generators::FakeSpec;

/// The values.
#[must_use]
pub fn values(spec: &FakeSpec) -> Values {
    let data = spec.data.iter().flatten();
    data.map(|(key, value)| (key.clone(), secret(value.clone().into_bytes()))).collect()
}
