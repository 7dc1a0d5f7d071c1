//! What goes wrong.

mod api_server;
mod azure;
mod processes;
mod storm;

use std::ops::Range;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::arena::Arena;
use crate::chance::Chance;

/// Causes a fault for some time, and ends it.
pub type Play = for<'a> fn(&'a Arena, Duration, Chance) -> BoxFuture<'a, ()>;

/// A fault.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// How long it lasts, in seconds.
    pub lasts: Range<f64>,
    /// How long it lasts in the short form, which does not include every fault.
    pub short: Option<Range<f64>>,
    /// Causes it.
    pub play: Play,
}

/// No fault at all, for comparison.
fn calm() -> Fault {
    Fault {
        name: "calm",
        about: "Nothing",
        lasts: 10.0..12.0,
        short: None,
        play: |_, lasts, _| tokio::time::sleep(lasts).boxed(),
    }
}

/// All faults, in the order in which they run.
pub fn all() -> Vec<Fault> {
    [vec![calm()], api_server::faults(), azure::faults(), processes::faults(), vec![storm::fault()]]
        .into_iter()
        .flatten()
        .collect()
}
