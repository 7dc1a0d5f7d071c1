//! One tenant cannot stop, flood or slow the others. These tests run apart from the rest, which the attackers would
//! slow down, and one after another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says with a panic that it failed")]

mod floods;
mod walk;
