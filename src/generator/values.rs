//! The values that a generator makes.

use std::sync::Arc;

use secrecy::SecretSlice;

pub(super) use crate::secret::SecretMap as Values;
use crate::secret::SecretValue;

/// A value of these bytes.
pub(super) fn secret(bytes: Vec<u8>) -> SecretValue {
    Arc::new(SecretSlice::from(bytes))
}
