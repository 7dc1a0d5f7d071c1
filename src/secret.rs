//! Values of secrets in memory, as the whole program passes them on.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;

/// A secret's value. Readers share it, and it is wiped when the last of them drops it. `Debug` prints nothing of it.
pub type SecretValue = Arc<SecretSlice<u8>>;

/// Values by key. `Debug` prints only the keys.
pub type SecretMap = BTreeMap<String, SecretValue>;
