//! What `target.template` makes.

use std::collections::BTreeMap;

use super::SecretData;

/// What the target's template makes of the values. `Debug` prints no values.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The data: what templates make, and the values too where `mergePolicy` is Merge or the template
    /// makes no data.
    pub data: SecretData,
    /// The labels. With a template those of the ExternalSecret are not copied.
    pub labels: BTreeMap<String, String>,
    /// The annotations, likewise.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers to add.
    pub finalizers: Vec<String>,
    /// The type; `None` leaves it as it is, which is `Opaque` for a new Secret.
    pub type_: Option<String>,
}
