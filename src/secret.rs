//! Values of secrets in memory, as the whole program hands them on.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;

/// A secret's value. Its readers share it, and it is wiped when the last of them drops it; `Debug` prints nothing of it.
pub type SecretValue = Arc<SecretSlice<u8>>;

/// Values by key. `Debug` prints the keys alone.
pub type SecretMap = BTreeMap<String, SecretValue>;
