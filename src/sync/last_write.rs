//! What was written last, and what the API server made of it.

/// Hashes of what was written last, and of what the API server made of it: it may have filled in defaults, or pruned what it does not
/// know, so that the two differ although nobody has changed the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWrite {
    wanted: String,
    stored: String,
}

impl LastWrite {
    /// Of the hash of what was asked for, and of that of the API server's answer.
    #[must_use]
    pub(super) const fn new(wanted: String, stored: String) -> Self {
        Self { wanted, stored }
    }

    /// Whether writing `wanted` again to what is there now would not change its content.
    pub(super) fn is_repeated_by(&self, wanted: &str, existing: &str) -> bool {
        self.wanted == wanted && self.is_stored_as(existing)
    }

    /// Whether what is there is what the API server made of it.
    pub(super) fn is_stored_as(&self, existing: &str) -> bool {
        self.stored == existing
    }
}
