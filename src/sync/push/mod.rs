//! The pure part of a push: when one is due, which objects a PushSecret asks for, and what its status says of them.

pub mod due;
pub mod expand;
pub mod interval;
pub mod minting;
pub mod names;
pub mod objects;
pub mod record;

pub use expand::{Entry, ExpandError, Source, StoreFacts};
pub use objects::{WantedObject, objects};
