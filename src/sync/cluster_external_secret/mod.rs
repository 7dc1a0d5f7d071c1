//! What a ClusterExternalSecret asks for, decided without a client and a clock.
//!
//! [`Wanted`] says what the ExternalSecret of each selected namespace must be, [`step`] what is to be done next in one namespace,
//! and [`status`] what is said of all of them. The controller carries it out; `plan` prints it.

pub mod status;
pub mod step;
mod wanted;

pub use step::{Decision, Place, Situation, Step, decide};
pub use wanted::Wanted;

#[cfg(test)]
mod tests;
