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

/// Lets something go wrong for some time, and fixes it.
pub type Play = for<'a> fn(&'a Arena, Duration, Chance) -> BoxFuture<'a, ()>;

/// Something that goes wrong.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// How long it lasts, in seconds.
    pub lasts: Range<f64>,
    /// How long it lasts in the short form, of which not all faults are part.
    pub short: Option<Range<f64>>,
    /// Lets it happen.
    pub play: Play,
}

/// No fault at all, to compare with.
fn calm() -> Fault {
    Fault {
        name: "calm",
        about: "Nothing",
        lasts: 10.0..12.0,
        short: None,
        play: |_, lasts, _| tokio::time::sleep(lasts).boxed(),
    }
}

/// All faults, in the order in which they befall.
pub fn all() -> Vec<Fault> {
    [vec![calm()], api_server::faults(), azure::faults(), processes::faults(), vec![storm::fault()]]
        .into_iter()
        .flatten()
        .collect()
}
