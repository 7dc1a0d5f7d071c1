//! From the store that an object names to a client for it.

pub mod clients;

pub use clients::*;
