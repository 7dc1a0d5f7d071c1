#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod read;
mod serialize;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use read::{Build, Malformed, Scalar, read};
pub use serialize::to_vec;
pub use text::Text;
pub use write::{Escape, Memory, Sink, Style, Writer, in_memory, number};
