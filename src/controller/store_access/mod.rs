//! What controllers of other kinds need of stores: keys, clients, and notice of changes.

pub(crate) mod clients;
pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod roles;
