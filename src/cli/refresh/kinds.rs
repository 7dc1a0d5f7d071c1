//! The kinds of objects that can be refreshed, and what the status of each says about that.

use std::fmt::Debug;

use jiff::Timestamp;
use kube::Resource;
use kube::core::DynamicResourceScope;
use serde::de::DeserializeOwned;

use super::outcome::Outcome;
use crate::api::v1::condition::READY;
use crate::api::v1::{ClusterExternalSecret, Condition, ConditionStatus, ExternalSecret, SecretStore};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::harmless;
use crate::cli::person::overview::Overview;
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::pushes::PushOverview;
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;
use crate::sync::target::target_name;

/// An object whose controller refreshes it when its annotation `force-sync` changes.
pub(super) trait Refreshable:
    Resource<Scope = DynamicResourceScope, DynamicType: Clone + Default + Debug + Eq + std::hash::Hash + Unpin>
    + DeserializeOwned
    + Clone
    + Debug
    + Send
    + 'static
{
    /// What its status says about refreshes.
    fn reported(&self) -> Reported<'_>;

    /// How the last refresh ended.
    fn outcome(&self) -> Outcome;

    /// The stores that it uses.
    fn stores(&self) -> Vec<StoreKey> {
        Vec::new()
    }

    /// The Secret that it writes.
    fn secret(&self) -> Option<ObjectKey> {
        None
    }
}

/// What a status says about refreshes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported<'a> {
    /// The value of the annotation that the controller has answered.
    pub(super) handled: Option<&'a str>,
    /// The generation that it has handled. ESO's CRDs keep neither of these.
    pub(super) generation: Option<i64>,
    /// A hash of the object that was last synced successfully. ESO writes it, too.
    pub(super) synced: Option<&'a str>,
    /// Whether the kind has such a hash.
    pub(super) has_hash: bool,
    pub(super) is_ready: bool,
}

impl<'a> Reported<'a> {
    fn new(handled: Option<&'a String>, generation: Option<i64>, conditions: &[Condition]) -> Self {
        let is_ready = conditions::find(conditions, READY).is_some_and(|ready| ready.status == ConditionStatus::True);
        Self { handled: handled.map(String::as_str), generation, synced: None, has_hash: false, is_ready }
    }

    fn with_hash(self, synced: Option<&'a String>) -> Self {
        Self { synced: synced.map(String::as_str), has_hash: true, ..self }
    }

    /// Whether the CRD keeps the field in which a controller reports that it has answered.
    pub(super) const fn is_kept(&self) -> bool {
        self.generation.is_some()
    }

    /// Whether success, at least, can be recognized.
    pub(super) const fn can_be_told(&self) -> bool {
        self.is_kept() || self.has_hash
    }
}

fn ended(is_ready: bool, says: impl FnOnce() -> String) -> Outcome {
    if is_ready { Outcome::refreshed() } else { Outcome::failed(says()) }
}

impl Refreshable for ExternalSecret {
    fn reported(&self) -> Reported<'_> {
        let Some(status) = &self.status else { return Reported::default().with_hash(None) };
        Reported::new(status.last_handled_refresh.as_ref(), status.observed_generation, &status.conditions)
            .with_hash(status.synced_resource_version.as_ref())
    }

    fn outcome(&self) -> Outcome {
        let overview = Overview::of(self, Timestamp::now());
        ended(overview.ready == Some(ConditionStatus::True), || overview.says())
    }

    fn stores(&self) -> Vec<StoreKey> {
        Overview::of(self, Timestamp::now()).stores
    }

    fn secret(&self) -> Option<ObjectKey> {
        let spec = self.spec.get().ok()?;
        let is_secret = spec.target.as_ref().is_none_or(|target| target.manifest.is_none());
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        is_secret.then(|| ObjectKey::new(namespace, target_name(&self.metadata, spec)))
    }
}

impl Refreshable for PushSecret {
    fn reported(&self) -> Reported<'_> {
        let Some(status) = &self.status else { return Reported::default().with_hash(None) };
        Reported::new(status.last_handled_refresh.as_ref(), status.observed_generation, &status.conditions)
            .with_hash(status.synced_resource_version.as_ref())
    }

    fn outcome(&self) -> Outcome {
        let overview = PushOverview::of(self, Timestamp::now());
        ended(overview.state.ready == Some(ConditionStatus::True), || overview.says())
    }

    fn stores(&self) -> Vec<StoreKey> {
        PushOverview::of(self, Timestamp::now()).stores
    }
}

impl Refreshable for SecretStore {
    fn reported(&self) -> Reported<'_> {
        let Some(status) = &self.status else { return Reported::default() };
        Reported::new(status.last_handled_refresh.as_ref(), status.observed_generation, &status.conditions)
    }

    fn outcome(&self) -> Outcome {
        let conditions = self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = conditions::find(conditions, READY);
        let is_ready = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
        ended(is_ready, || ready.and_then(|ready| ready.message.as_deref().map(harmless::told)).unwrap_or_default())
    }
}

impl Refreshable for ClusterExternalSecret {
    fn reported(&self) -> Reported<'_> {
        let Some(status) = &self.status else { return Reported::default() };
        Reported::new(status.last_handled_refresh.as_ref(), status.observed_generation, &status.conditions)
    }

    fn outcome(&self) -> Outcome {
        of_parent(&ParentOverview::of_external_secrets(self))
    }
}

impl Refreshable for ClusterPushSecret {
    fn reported(&self) -> Reported<'_> {
        let Some(status) = &self.status else { return Reported::default() };
        Reported::new(status.last_handled_refresh.as_ref(), status.observed_generation, &status.conditions)
    }

    fn outcome(&self) -> Outcome {
        of_parent(&ParentOverview::of_push_secrets(self))
    }
}

/// Whether each namespace has what is made there. How that does is told by its own result.
fn of_parent(overview: &ParentOverview) -> Outcome {
    ended(overview.state.ready == Some(ConditionStatus::True), || overview.says())
}
