//! Reads answers of the Kubernetes API so that nothing an object holds makes a list, a watch or a write fail.
//!
//! Whoever may write an object decides what stands in its `managedFields` and in the parts of it that nobody here looks at: a time
//! at the end of the year 9999, which Go reads and `jiff` does not, bytes that are not UTF-8, a thousand levels of nesting. Read into
//! the types of `k8s-openapi`, one such object makes the list of all objects fail. So what is needed is read here, and nothing else:
//!
//! - [`metadata`]: an object's metadata, and [`MetadataOf`] an object of which nothing else is read.
//! - [`Seen`]: an item of a list or a watch, which may be one that cannot be read.
//! - [`Objects`]: reads and writes of single objects.
//! - [`TextLayer`]: what all answers pass before they are read.
//!
//! An error never quotes an answer ([`reason`]): it may be a Secret.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod metadata;
mod objects;
mod read;
mod seen;
mod text;

pub use metadata::MetadataOf;
pub use objects::Objects;
pub use read::{Unreadable, reason};
pub use seen::Seen;
pub use text::{Text, TextLayer};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
