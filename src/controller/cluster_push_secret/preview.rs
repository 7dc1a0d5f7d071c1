//! What a ClusterPushSecret would create and change, determined by the controller's own steps, without carrying it out.

use std::collections::BTreeMap;

use super::child::Wanted;
use crate::api::Selection;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::validate;

/// The desired PushSecret of a ClusterPushSecret, and the namespaces it belongs in.
pub(crate) struct Template {
    wanted: Wanted,
    selection: Selection,
}

/// What happens to the PushSecret of a selected namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It stays as it is.
    Same,
    /// It is created.
    New,
    /// It is changed.
    Changed,
    /// Somebody else owns it.
    Taken,
}

impl Template {
    /// Reads a ClusterPushSecret.
    ///
    /// # Errors
    /// Why it cannot be reconciled, in the words of the condition `Ready`.
    pub(crate) fn of(object: &ClusterPushSecret) -> Result<Self, String> {
        let spec = object.spec.get().map_err(ToString::to_string)?;
        let selection = Selection::of_labels("spec.namespaceSelectors", &spec.namespace_selectors);
        let selection = selection.map_err(|bad| bad.to_string())?;
        let problems = validate::cluster_push_secret::check(spec);
        if !problems.is_empty() {
            return Err(validate::sentences(&problems));
        }
        Ok(Self { wanted: Wanted::of(object, spec), selection })
    }

    /// The name of each PushSecret.
    pub(crate) fn name(&self) -> &str {
        &self.wanted.name
    }

    /// Whether a namespace with these labels is selected.
    pub(crate) fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.selection.selects(namespace, labels)
    }

    /// Whether this ClusterPushSecret owns a PushSecret.
    pub(crate) fn owns(&self, object: &PushSecret) -> bool {
        self.wanted.owns(&object.metadata)
    }

    /// What happens to the existing PushSecret of this name, or `None`.
    pub(crate) fn made(&self, there: Option<&PushSecret>) -> Made {
        match there {
            None => Made::New,
            Some(there) if !self.owns(there) => Made::Taken,
            Some(there) if there.metadata.deletion_timestamp.is_some() || self.wanted.is_met_by(there) => Made::Same,
            Some(_) => Made::Changed,
        }
    }

    /// The PushSecret that would be created in a namespace.
    pub(crate) fn object(&self, namespace: &str) -> Option<PushSecret> {
        serde_json::from_value(serde_json::to_value(self.wanted.object(namespace)).ok()?).ok()
    }
}
