//! Hashes that stay in this process.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::LazyLock;

/// A hash under a key of this process: nobody can choose inputs with equal hashes, and it says nothing outside of it.
#[must_use]
pub(crate) fn process_hash(of: impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(of)
}
