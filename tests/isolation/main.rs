//! One tenant cannot stop, flood or slow the others. Apart from the other tests, which would wait for the attackers' share of the
//! machine, and one after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says with a panic that it failed")]

mod floods;
mod walk;
