//! What the controllers of other kinds need of stores: their names, clients for them, and to hear of them.

pub(crate) mod clients;
pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod roles;
