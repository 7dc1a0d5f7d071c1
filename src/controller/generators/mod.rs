//! From the name of a generator to what it describes. What makes its values is [`crate::generator`], and a provider.

pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod lookup;
pub(crate) mod watched;
