//! `UUID`: a random UUID.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spec of a `UUID`, which has no fields. It generates a random UUID (version 4) in lower case.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct UuidSpec {}
