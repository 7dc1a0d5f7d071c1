//! Reads answers of the Kubernetes API so tolerantly that no object's content can make a list, a watch or a write fail.
//!
//! Anybody who may write an object controls its `managedFields` and the parts that this program never uses: a time at
//! the end of the year 9999, which Go accepts and `jiff` does not, bytes that are not UTF-8, a thousand levels of
//! nesting. With the types of `k8s-openapi`, one such object makes the list of all objects fail. This crate therefore
//! reads only what is needed:
//!
//! - [`metadata`]: an object's metadata; [`MetadataOf`] is an object of which nothing else is read.
//! - [`Seen`]: an item of a list or a watch, possibly one that cannot be read.
//! - [`Objects`]: reads and writes of single objects.
//! - [`TextLayer`]: processes all answers before they are read.
//!
//! An error never quotes an answer ([`reason`]), which may be a Secret.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod metadata;
mod objects;
mod read;
mod seen;
mod text;
mod trim;

pub use metadata::MetadataOf;
pub use objects::{Objects, Page};
pub use read::{Unreadable, reason};
pub use seen::Seen;
pub use text::{Text, TextLayer};
pub use trim::Kept;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
