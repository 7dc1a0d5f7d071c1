//! Starts and stops the controllers.

use std::sync::Arc;

use futures::FutureExt as _;
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::core::controllers::{Ended, Passes, Running};
use super::core::discovery::{is_served_at_last, served_version};
use super::core::events::Recorder;
use super::core::outages;
use super::core::watching::Watching;
pub(crate) use super::kinds::MakeProviders;
use super::kinds::{self, Parts};
use super::options::{Options, Switch};
use crate::api::v1alpha1::{self, ClusterPushSecret, PushSecret};
use crate::provider::azure::SetupError;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::health::Readiness;
use crate::runtime::metrics::Metrics;
use crate::runtime::vital::{self, Vital};

/// What the program passes to the controllers.
pub(crate) struct Setup {
    pub(crate) client: Client,
    /// Monitors the connection to the API server and each watch.
    pub(crate) api_health: ApiHealth,
    pub(crate) options: Options,
    /// Builds the providers as soon as the cluster can be read.
    pub(crate) providers: MakeProviders,
    pub(crate) metrics: Metrics,
    /// Set when every watch has delivered its first list.
    pub(crate) readiness: Readiness,
    /// Stops the controllers.
    pub(crate) stop: CancellationToken,
}

/// Why the controllers cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The providers cannot be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A controller ended, which is a bug. The process must restart.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// Something that the controllers depend on ended, which is a bug, too.
    #[error(transparent)]
    Failed(#[from] vital::Failed),
}

/// Runs all controllers until `stop`, then finishes what is in progress, within a few seconds.
///
/// # Errors
/// [`RunError`]
pub(crate) async fn run(setup: Setup) -> Result<(), RunError> {
    let vital = Vital::default();
    tokio::select! {
        ended = run_with(setup, &vital) => ended,
        failed = vital.failed() => Err(failed.into()),
    }
}

async fn run_with(setup: Setup, vital: &Vital) -> Result<(), RunError> {
    let Setup { client, api_health, mut options, providers, metrics, readiness, stop } = setup;
    let plurals: Vec<_> = kinds::needed(&options).into_iter().map(|kind| kind.plural).collect();
    let version = served_version(&client, &plurals, &readiness);
    let Some(version) = stop.run_until_cancelled(version).await else { return Ok(()) };
    tracing::info!(version = version.api_version(), "the custom resources are served");
    // Not each installation has them, and ExternalSecrets do not need them.
    let mut awaited = Vec::new();
    for (plural, switch) in
        [(PushSecret::PLURAL, options.push_secrets), (ClusterPushSecret::PLURAL, options.cluster_push_secrets)]
    {
        let is_served = is_served_at_last(&client, v1alpha1::API_VERSION, plural);
        let Some(is_served) = stop.run_until_cancelled(is_served).await else { return Ok(()) };
        match (switch, is_served) {
            (Switch::On, true) => awaited.push(plural),
            (Switch::On, false) => tracing::warn!(plural, "the cluster does not serve them: apply the CRD to use them"),
            (Switch::Off, _) => {}
        }
    }
    if options.push_secrets == Switch::Off {
        options.cluster_push_secrets = Switch::Off;
    }

    let at_once = options.concurrency;
    let (events, event_writer) = Recorder::start(client.clone(), metrics.clone(), vital);
    let watching = Watching {
        client: client.clone(),
        api_health: api_health.clone(),
        namespace: options.namespace.clone(),
        metrics: metrics.api_server().clone(),
        vital: vital.clone(),
    };
    let parts = Parts {
        client: client.clone(),
        watching,
        version,
        options: Arc::new(options),
        awaited,
        providers,
        events,
        metrics: metrics.clone(),
    };
    let Some(controllers) = stop.run_until_cancelled(kinds::controllers(parts)).await else { return Ok(()) };
    let controllers = controllers?;
    let waking = outages::wake_after(client, api_health, controllers.iter().map(Arc::downgrade).collect());
    let waking = stop.clone().run_until_cancelled_owned(waking);
    vital.spawn("probe after outages", waking.map(drop));

    let mut running = Running::start(controllers, &Passes::start(at_once, metrics));
    readiness.set_ready();
    tracing::info!("all watches have delivered their first list");
    let ended = running.until_stopped(&stop).await;
    running.finish(event_writer).await;
    Ok(ended?)
}

#[cfg(test)]
mod tests;
