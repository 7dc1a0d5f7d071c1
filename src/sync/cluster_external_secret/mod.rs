//! The pure decisions about a ClusterExternalSecret, without a client or a clock.
//!
//! [`Wanted`] says what the ExternalSecret of each selected namespace must be, [`step`] what to do next in one
//! namespace, and [`status`] what to report about all of them. The controller carries it out; `plan` prints it.

pub mod status;
pub mod step;
mod wanted;

pub use step::{Decision, Place, Situation, Step, decide};
pub use wanted::{LastChild, Wanted};

#[cfg(test)]
mod tests;
