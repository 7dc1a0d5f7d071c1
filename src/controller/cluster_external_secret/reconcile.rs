//! The controller as the core runs it.

use std::sync::Arc;

use async_trait::async_trait;

use super::context::Context;
use super::work::Work;
use super::{namespace, whole};
use crate::controller::core::key::WorkKey as _;
use crate::controller::core::kind::Kind;
use crate::controller::core::reconcile::{Pass, Reconcile};
use crate::controller::core::work_queue::Requests;
use crate::runtime::panics::Panicked;

#[async_trait]
impl Reconcile for Context {
    type Key = Work;

    fn kind(&self) -> Kind {
        super::KIND
    }

    fn requests(&self) -> &Arc<Requests<Work>> {
        self.state.requests()
    }

    fn is_there(&self, key: &Work) -> bool {
        self.watched(key.name()).is_some()
    }

    async fn reconcile(&self, key: &Work) -> Pass {
        match key {
            Work::Whole { name } => whole::reconcile(name, self).await,
            Work::Namespace { name, namespace } => namespace::reconcile(name, namespace, self).await,
        }
    }

    async fn panicked(&self, key: &Work, panicked: Panicked) -> Pass {
        match key {
            Work::Whole { name } => {
                tracing::error!(cluster_external_secret = name, %panicked, "could not be reconciled");
                Pass::panicked()
            }
            Work::Namespace { name, namespace } => namespace::panicked(name, namespace, &panicked, self),
        }
    }

    fn api_server_is_back(&self) {
        self.state.wake_who_await_api_server();
    }
}
