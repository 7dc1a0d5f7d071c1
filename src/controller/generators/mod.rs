//! From the name of a generator to its spec. [`crate::generator`] and a provider make the values.

pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod lookup;
pub(crate) mod making;
pub(crate) mod watched;
