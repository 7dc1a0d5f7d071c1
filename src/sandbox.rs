//! An emulator of Entra ID and Key Vault, and a cluster to try the controller on: what `crates/` has of it.

pub use azure_sandbox::*;
pub use test_cluster as cluster;
pub use test_cluster::supervisor;
