//! Memory for the answers of vaults, shared by namespaces. The author of a store may also own the vault.

use std::sync::Arc;

use crate::provider::shares::Shares;

/// For answers larger than [`FREE_ANSWER`], until they are parsed.
const ANSWERS: usize = 16 << 20;

/// For answers that are kept a few seconds for identical reads.
const KEPT: usize = 8 << 20;

/// For lists of secrets. Half of it suffices for about 90,000 secrets.
const LISTS: usize = 24 << 20;

/// This much of an answer is always read, because only a few of a gate's requests are in progress at a time.
pub(super) const FREE_ANSWER: usize = 16 << 10;

/// The memory for the answers of all vaults.
pub(super) struct Memory {
    pub(super) answers: Arc<Shares>,
    pub(super) kept: Arc<Shares>,
    pub(super) lists: Arc<Shares>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { answers: Shares::new(ANSWERS), kept: Shares::new(KEPT), lists: Shares::new(LISTS) }
    }
}
