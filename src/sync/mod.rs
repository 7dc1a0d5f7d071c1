//! The pure part of a sync: no async, no client, and no clock of its own.
//!
//! [`refresh`] says whether values must be read again, [`plan`] what the target Secret must become
//! once they were. The controller carries a [`plan::Plan`] out; `plan` and `render` print it.

pub mod hash;
pub mod managed_fields;
pub mod plan;
pub mod refresh;
pub mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;

/// The values of a target Secret by key. `Debug` prints the keys alone.
pub type SecretData = BTreeMap<String, Arc<SecretSlice<u8>>>;
