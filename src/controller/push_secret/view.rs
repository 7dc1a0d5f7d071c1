//! What a push reads from the cluster. Behind this trait may be the controller's watch caches, a cluster that `plan` reads, or manifests
//! that were never applied.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::Selector;

use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::options::{FloodGate, Switch};
use crate::controller::store_access::clients::{self, Access, ControllerClass, StoreLookup};
use crate::controller::store_access::key::StoreKey;
use crate::controller::template_engines::Templates;
use crate::provider::Providers;

/// What a push reads from the cluster. `None` means that an object certainly does not exist.
#[async_trait]
pub(crate) trait View: StoreLookup + GeneratorLookup {
    /// A Secret with its content, not from a watch cache, because deletions depend on whether it exists.
    async fn source(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError>;

    /// A ConfigMap that a template comes from.
    async fn template_source(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError>;

    /// The names of the Secrets of a namespace that labels select, in any order. May stop after `most` of them.
    async fn selected(&self, namespace: &str, labels: &Selector, most: usize) -> Result<Vec<String>, ApiError>;

    /// The stores of a kind, in a namespace or in the cluster.
    async fn stores(&self, kind: StoreKind, namespace: &str) -> Result<Vec<Arc<SecretStore>>, ApiError>;
}

/// What is needed to determine the objects of a PushSecret.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    /// Reads the cluster.
    pub(crate) view: &'a dyn View,
    /// The providers.
    pub(crate) providers: &'a Providers,
    /// Renders templates.
    pub(crate) templates: &'a Templates,
    /// The stores that this controller reconciles.
    pub(crate) class: ControllerClass<'a>,
    /// Whether Secrets with credentials of the cluster itself may be pushed.
    pub(crate) token_secrets: Switch,
}

impl<'a> Tools<'a> {
    /// Whether a store belongs to another controller: of another class, or of a kind that is switched off here.
    pub(super) async fn is_of_others(self, key: &StoreKey) -> bool {
        let found = self.view.store(key).await.ok().flatten();
        !self.class.works_on(key.kind) || found.is_some_and(|store| !clients::is_ours(&store, self.class.name))
    }

    /// Creates writers to stores. As in ESO, a store need not be Ready.
    pub(super) fn access(self) -> Access<'a> {
        Access { stores: self.view, providers: self.providers, flood_gate: FloodGate::Open }
    }
}
