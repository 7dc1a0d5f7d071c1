//! The pure part of a sync: no async, no client, and no clock of its own.
//!
//! [`refresh`] says whether values must be read again, [`data`] makes of what was read the data of the
//! target Secret, and [`plan`] says what the Secret must become. The controller carries a [`plan::Plan`] out; `plan` and `render` print it.

pub mod data;
pub mod hash;
pub mod managed_fields;
pub mod object;
pub mod plan;
pub mod refresh;
pub mod rendered;
pub mod target;
pub mod template;
pub mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;

/// A value. Shared with who else uses it, wiped when the last of them drops it.
pub type SecretValue = Arc<SecretSlice<u8>>;

/// The values of a target Secret by key. `Debug` prints the keys alone.
pub type SecretData = BTreeMap<String, SecretValue>;
