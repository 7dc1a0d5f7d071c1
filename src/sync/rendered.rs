//! What `target.template` produces.

use std::collections::BTreeMap;
use std::fmt;

use super::SecretData;
use super::object::Edit;

/// What the target's template makes of the values. `Debug` prints only keys, because labels and annotations may contain
/// values, too.
#[derive(Clone, Default)]
pub struct Rendered {
    /// The data: what templates produce and, if `mergePolicy` is Merge or the template produces no data, the values.
    /// For an object that is not a Secret, only the values.
    pub data: SecretData,
    /// What templates write into an object that is not a Secret, in this order.
    pub edits: Vec<Edit>,
    /// The labels. If there is a template, those of the ExternalSecret are not copied.
    pub labels: BTreeMap<String, String>,
    /// The annotations, under the same rule.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers to add.
    pub finalizers: Vec<String>,
    /// The type; `None` keeps the existing one, which is `Opaque` for a new Secret.
    pub type_: Option<String>,
    /// Whether rendering the same values again may produce something else, because a template uses the time or
    /// randomness.
    pub is_volatile: bool,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("data", &self.data.keys())
            .field("edits", &self.edits)
            .field("labels", &self.labels.keys())
            .field("annotations", &self.annotations.keys())
            .field("finalizers", &self.finalizers)
            .field("type_", &self.type_)
            .field("is_volatile", &self.is_volatile)
            .finish()
    }
}
