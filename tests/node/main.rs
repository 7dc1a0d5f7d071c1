//! The image and the chart in a cluster: on a real node, whose kubelet starts their Pods.
//!
//! `make test-node` starts the node and runs these tests in its network, one after another; otherwise they are ignored.
//! Each test starts with a cluster that has nothing of ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "a test says with a panic that it failed, a test binary exports nothing, and these print what was measured"
)]

mod azure;
mod cluster;
mod disruptions;
mod eso;
mod installing;
mod kinds;
mod load;
mod scopes;
mod values;
