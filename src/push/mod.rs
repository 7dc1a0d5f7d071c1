//! What a push finds at a provider, and what it does about it. Pure: providers say what they find in these words, and the
//! controller and `plan` ask [`table`] what follows.

pub mod json;
pub mod table;
pub mod wanted;

pub use table::{Action, Content, Found, Ownership, Property, Purpose, Refusal, decide};
pub use wanted::{ObjectName, Payload, Wanted};
