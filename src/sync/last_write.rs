//! What was written last, and what the API server stored.

/// Hashes of what was written last and of what the API server stored. It may have set defaults or pruned unknown
/// fields, so the two may differ although nobody has changed the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWrite {
    wanted: String,
    stored: String,
}

impl LastWrite {
    /// From the hash of what was written and that of the API server's answer.
    #[must_use]
    pub(super) const fn new(wanted: String, stored: String) -> Self {
        Self { wanted, stored }
    }

    /// Whether writing `wanted` again over the current content would not change it.
    pub(super) fn is_repeated_by(&self, wanted: &str, existing: &str) -> bool {
        self.wanted == wanted && self.is_stored_as(existing)
    }

    /// Whether the current content is what the API server stored.
    pub(super) fn is_stored_as(&self, existing: &str) -> bool {
        self.stored == existing
    }
}
