//! What a push may find at a provider, and the action that follows. Providers report in these terms, and the controller and `plan` ask
//! [`table`] for the action. Does no I/O.

pub mod json;
pub mod table;
pub mod wanted;

pub use table::{Action, Content, Found, Ownership, Property, Purpose, Refusal, decide};
pub use wanted::{ObjectName, Payload, Wanted};
