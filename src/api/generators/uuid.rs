//! `UUID`: a random UUID.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a `UUID` describes: nothing but itself. It gives a random UUID (version 4) in lower case.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct UuidSpec {}
