//! What the controllers of other kinds need of stores: their names, clients for them, and to hear of them.

pub mod clients;
pub mod error;
pub mod key;
pub mod roles;
