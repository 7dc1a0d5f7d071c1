//! What would become of the data of one target.

use super::action::Action;
use super::entry::Entry;
use crate::controller::core::key::ObjectKey;

/// What would become of the data of one target. Holds no value.
#[derive(Clone, Debug)]
pub(in crate::cli) struct DataChange {
    /// The ExternalSecret.
    pub(in crate::cli) external_secret: ObjectKey,
    /// The Secret.
    pub(in crate::cli) target: String,
    /// Whether it would be made.
    pub(in crate::cli) is_new: bool,
    /// The keys whose bytes would be other ones, with what would happen to each.
    pub(in crate::cli) keys: Vec<(String, &'static str)>,
    /// Why nothing could be written.
    pub(in crate::cli) refused: Option<String>,
}

impl DataChange {
    pub(super) fn of(entry: &Entry) -> Self {
        let data = entry.changes.iter().filter(|change| change.field == "data");
        let keys = data.map(|change| {
            let what = match (&change.before, &change.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "other bytes",
            };
            (change.key.clone().unwrap_or_default(), what)
        });
        let refused = entry.condition.as_ref().filter(|_| entry.action == Action::Refuse);
        Self {
            external_secret: entry.external_secret.clone(),
            target: entry.target.clone(),
            is_new: entry.action == Action::Create,
            keys: keys.collect(),
            refused: refused.map(|condition| condition.message.clone()),
        }
    }
}
