//! What is said of every reconcile, whatever it works on: metrics, a span, and a line of the log.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use tracing::Instrument as _;

use super::key::{ObjectKey, StoreKey};
use super::requeue::Next;
use crate::api::v1::{ExternalSecret, StoreKind};
use crate::controller::external_secret::context::Context;
use crate::controller::{external_secret, secret_store};
use crate::runtime::metrics::ReconcileResult;
use crate::runtime::panics::{Caught, Panicked};

/// How a reconcile ended.
#[derive(Clone, Debug)]
pub struct Pass {
    /// When to come back.
    pub next: Next,
    /// How metrics count it.
    pub result: ReconcileResult,
}

impl Pass {
    /// One that did not fail.
    #[must_use]
    pub const fn succeeded(next: Next) -> Self {
        let result = match next {
            Next::OnChange => ReconcileResult::Success,
            Next::After(_) => ReconcileResult::RequeueAfter,
        };
        Self { next, result }
    }

    /// One that failed.
    #[must_use]
    pub const fn failed(next: Next) -> Self {
        Self { next, result: ReconcileResult::Error }
    }
}

/// The controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// That of ExternalSecrets.
    ExternalSecrets,
    /// That of a kind of stores.
    Stores(StoreKind),
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self::ExternalSecrets, Self::Stores(StoreKind::SecretStore), Self::Stores(StoreKind::ClusterSecretStore)];

    /// The plural of the kind that it works on.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ExternalSecrets => ExternalSecret::PLURAL,
            Self::Stores(kind) => kind.plural(),
        }
    }

    /// The name under which metrics speak of it, as controller-runtime names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExternalSecrets => external_secret::CONTROLLER,
            Self::Stores(kind) => secret_store::controller_name(kind),
        }
    }

    /// The controller of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.name() == name)
    }

    /// Says of an object that the pass over it panicked.
    async fn panicked(self, key: &ObjectKey, panicked: Panicked, context: &Context) -> Pass {
        match self {
            Self::ExternalSecrets => external_secret::panicked(key, panicked, context).await,
            Self::Stores(kind) => {
                secret_store::panicked(&StoreKey { kind, object: key.clone() }, panicked, context).await
            }
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::ExternalSecrets => "ExternalSecret",
            Self::Stores(StoreKind::SecretStore) => "SecretStore",
            Self::Stores(StoreKind::ClusterSecretStore) => "ClusterSecretStore",
        }
    }
}

/// Runs one reconcile of an object that has been due since a time, and says how it went. One that panics fails, and is tried again.
pub async fn observed(
    controller: Controller,
    key: ObjectKey,
    due: Instant,
    context: Arc<Context>,
    reconcile: BoxFuture<'static, Pass>,
) -> Next {
    let working = context.metrics.controllers().begin(controller.name(), Some(due.elapsed()));
    let span = tracing::info_span!(
        "reconcile",
        controller = controller.name(),
        "k8s.namespace.name" = key.namespace,
        "k8s.object.name" = key.name,
        result = tracing::field::Empty,
    );
    let pass = async {
        match Caught::new(reconcile).await {
            Ok(pass) => pass,
            Err(panicked) => controller.panicked(&key, panicked, &context).await,
        }
    };
    let pass = pass.instrument(span.clone()).await;
    span.record("result", pass.result.label());
    let duration = working.ended(pass.result);
    tracing::debug!(
        kind = controller.kind(), object = %key, result = pass.result.label(), ?duration, next = ?pass.next, "reconciled"
    );
    pass.next
}
