//! One tenant cannot stop, flood or slow the others. Apart from the other tests, which would wait for the attackers' share of the
//! machine, and one after the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test says with a panic that it failed, and a test binary exports nothing"
)]

mod floods;
#[path = "../neighbours/mod.rs"]
mod neighbours;
#[path = "../stage/mod.rs"]
mod stage;

use stage::{controller_process, scene, world};
