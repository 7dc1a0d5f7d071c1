//! What it takes to try things, and to test them, without a cloud.

pub mod cluster;
