//! What a ClusterPushSecret would make, worked out by the controller's own steps and carried out by nobody.

use std::collections::BTreeMap;

use super::child::Wanted;
use crate::api::Selection;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::validate;

/// What each PushSecret of a ClusterPushSecret must be, and where.
pub(crate) struct Template {
    wanted: Wanted,
    selection: Selection,
}

/// What becomes of the PushSecret in a namespace that is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is as it must be.
    Same,
    /// It is made.
    New,
    /// It is changed.
    Changed,
    /// It is somebody else's.
    Taken,
}

impl Template {
    /// Of a ClusterPushSecret.
    ///
    /// # Errors
    /// Why it cannot be worked on, as the condition `Ready` says it.
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

    /// Whether a PushSecret is of this ClusterPushSecret.
    pub(crate) fn owns(&self, object: &PushSecret) -> bool {
        self.wanted.owns(&object.metadata)
    }

    /// What becomes of the PushSecret of this name that is there, if there is one.
    pub(crate) fn made(&self, there: Option<&PushSecret>) -> Made {
        match there {
            None => Made::New,
            Some(there) if !self.owns(there) => Made::Taken,
            Some(there) if there.metadata.deletion_timestamp.is_some() || self.wanted.is_met_by(there) => Made::Same,
            Some(_) => Made::Changed,
        }
    }

    /// The PushSecret of a namespace, as it would be made.
    pub(crate) fn object(&self, namespace: &str) -> Option<PushSecret> {
        serde_json::from_value(self.wanted.object(namespace)).ok()
    }
}
