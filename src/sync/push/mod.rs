//! The part of a push without I/O: when one is due, which objects a PushSecret asks for, and what its status records about them.

pub mod due;
pub mod expand;
pub mod interval;
pub mod minting;
pub mod names;
pub mod objects;
pub mod record;

pub use expand::{Entry, ExpandError, Source, StoreFacts};
pub use objects::{WantedObject, objects};
