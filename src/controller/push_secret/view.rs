//! What a push reads of the cluster: the seam behind which the controller's watches, a cluster that is only looked at, and manifests
//! that were never applied are alike.

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

/// What a push reads of the cluster. `None` stands for what is certainly not there.
#[async_trait]
pub(crate) trait View: StoreLookup + GeneratorLookup {
    /// A Secret with its content, past all watches: whether it is there decides what is deleted.
    async fn source(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError>;

    /// A ConfigMap that a template comes from.
    async fn template_source(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError>;

    /// The names of the Secrets of a namespace that labels select, in any order. May end after `most` of them.
    async fn selected(&self, namespace: &str, labels: &Selector, most: usize) -> Result<Vec<String>, ApiError>;

    /// The stores of a kind: of a namespace, or of the cluster.
    async fn stores(&self, kind: StoreKind, namespace: &str) -> Result<Vec<Arc<SecretStore>>, ApiError>;
}

/// What the objects of a PushSecret are worked out with.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    /// What is read.
    pub(crate) view: &'a dyn View,
    /// Where values go.
    pub(crate) providers: &'a Providers,
    /// What renders templates.
    pub(crate) templates: &'a Templates,
    /// The stores that are worked on.
    pub(crate) class: ControllerClass<'a>,
    /// Whether Secrets that are credentials of the cluster itself may be pushed.
    pub(crate) token_secrets: Switch,
}

impl<'a> Tools<'a> {
    /// Whether a store is another controller's: of another class, or of a kind that is left alone.
    pub(super) async fn is_of_others(self, key: &StoreKey) -> bool {
        let found = self.view.store(key).await.ok().flatten();
        !self.class.works_on(key.kind) || found.is_some_and(|store| !clients::is_ours(&store, self.class.name))
    }

    /// What writers to stores are made from. As in ESO nobody asks whether a store is Ready.
    pub(super) fn access(self) -> Access<'a> {
        Access { stores: self.view, providers: self.providers, flood_gate: FloodGate::Open }
    }
}
