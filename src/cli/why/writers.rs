//! Who else writes to a Secret, according to its `managedFields`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::sync::one_line::{on_one_line, shortened};
use crate::sync::{hash, managed_fields};

/// How many writers to name, and how many keys of each.
const NAMED: usize = 3;
/// How much of a name to show. Whoever may write a Secret chooses the name of its field manager.
const SHOWN: usize = 63;

/// Somebody else who wrote to the Secret last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writer {
    /// The name of its field manager.
    pub(super) manager: String,
    /// The keys of the data that it wrote.
    pub(super) keys: Vec<String>,
}

/// The first of those who wrote keys of a Secret after the controller did.
pub(super) fn of(secret: &ObjectMeta, external_secret: &str) -> Vec<Writer> {
    let others = managed_fields::data_of_others(secret, &hash::field_manager(external_secret));
    let shown = |text: &str| shortened(on_one_line(text), SHOWN);
    let writer = |(manager, keys): (&String, &std::collections::BTreeSet<String>)| Writer {
        manager: shown(manager),
        keys: keys.iter().take(NAMED).map(|key| shown(key)).collect(),
    };
    others.iter().take(NAMED).map(writer).collect()
}

/// In words.
pub(super) fn in_words(writer: &Writer) -> String {
    format!("{:?} wrote data.{} last", writer.manager, writer.keys.join(", data."))
}
