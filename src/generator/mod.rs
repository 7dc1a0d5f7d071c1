//! Makes values: passwords, UUIDs and SSH keys. Pure, except that keys use the operating system's randomness.
//!
//! Every request is bounded and ends: see [`bounds`].

pub mod bounds;
mod encoding;
mod error;
pub mod fake;
mod make;
pub mod password;
pub mod ssh_key;
pub mod uuid;
mod values;

pub use error::MintError;
pub use make::{ACR_KEYS, Cost, Making, Source, cost, keys, make, making};
