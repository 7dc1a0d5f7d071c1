#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "it panics where a test cannot go on, and what it returns need not be used"
)]

pub mod api_proxy;
pub mod cluster_access;
pub mod controller_process;
pub mod custom_resource;
pub mod helm;
pub mod installation;
pub mod leaks;
pub mod markdown;
pub mod neighbors;
pub mod process;
pub mod prometheus;
pub mod scene;
pub mod world;

use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn repository() -> &'static Path {
    // This crate is `tests/stage`.
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program under test: cargo builds it with the test, one folder above the test binary.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the test binary's path");
    let program = test.ancestors().nth(2).expect("target/PROFILE/deps").join("external-secrets");
    assert!(program.exists(), "{} is not there: run the tests with cargo", program.display());
    program
}
