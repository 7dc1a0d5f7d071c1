//! What `target.template` produces.

use std::collections::BTreeMap;
use std::fmt;

use super::SecretData;
use super::object::Edit;

/// What the target's template makes of the values. `Debug` prints only keys, since labels and
/// annotations may contain values, too.
#[derive(Clone, Default)]
pub struct Rendered {
    /// The data: what templates make, and the values too where `mergePolicy` is Merge or the template
    /// makes no data. Of an object that is not a Secret the values alone.
    pub data: SecretData,
    /// What templates write into an object that is not a Secret, in this order.
    pub edits: Vec<Edit>,
    /// The labels. With a template those of the ExternalSecret are not copied.
    pub labels: BTreeMap<String, String>,
    /// The annotations, likewise.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers to add.
    pub finalizers: Vec<String>,
    /// The type; `None` leaves it as it is, which is `Opaque` for a new Secret.
    pub type_: Option<String>,
    /// Whether rendering the same values again may give another result: a template uses the time or
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
