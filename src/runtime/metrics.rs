//! Metrics under ESO's names and labels, so that its dashboards and alerts keep working.

use std::time::Duration;

use prometheus::{Encoder, GaugeVec, HistogramVec, IntCounterVec, TextEncoder};

pub use super::api_server_metrics::ApiServerMetrics;
pub use super::cluster_external_secret_metrics::{ClusterExternalSecretMetrics, Namespaces};
pub use super::controller_metrics::{ControllerMetrics, InQueue, ReconcileResult, Working};
pub use super::external_secret_metrics::ExternalSecretMetrics;
pub use super::object_metrics::{ExtendedLabels, Object, ObjectOptions, RemoteExpiry};
pub use super::push_secret_metrics::PushSecretMetrics;
pub use super::registrar::{Description, Kind, Registrar};
pub use super::store_metrics::{StoreMetrics, StoreSubsystem};
pub use super::vault_metrics::VaultMetrics;

/// Upper bounds in seconds of the duration of a request to a provider.
const CALL: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds in seconds of the duration of a sync, including the wait for its turn at the vault.
const SYNC: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Upper bounds in seconds of the wait for a turn at a vault.
const WAIT: &[f64] = &[0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// All metrics of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registrar: Registrar,
    external_secrets: ExternalSecretMetrics,
    cluster_external_secrets: ClusterExternalSecretMetrics,
    push_secrets: PushSecretMetrics,
    cluster_push_secrets: PushSecretMetrics,
    pushed: IntCounterVec,
    push_failures: IntCounterVec,
    stores: StoreMetrics,
    controllers: ControllerMetrics,
    api_server: ApiServerMetrics,
    vaults: VaultMetrics,
    syncs: HistogramVec,
    sync_failures: IntCounterVec,
    validations: IntCounterVec,
    provider_calls: IntCounterVec,
    provider_time: HistogramVec,
    token_exchanges: IntCounterVec,
    cache_hits: IntCounterVec,
    throttled: IntCounterVec,
    gate_waits: HistogramVec,
    probes: IntCounterVec,
    leader: GaugeVec,
    events_dropped: IntCounterVec,
}

impl Metrics {
    /// Registers all metrics with a registry of their own.
    ///
    /// # Errors
    /// Never with the names below, which the registry checks.
    pub fn new(objects: ObjectOptions) -> Result<Self, prometheus::Error> {
        let registrar = Registrar::default();
        let metrics = Self {
            external_secrets: ExternalSecretMetrics::register(&registrar, objects)?,
            cluster_external_secrets: ClusterExternalSecretMetrics::register(&registrar, objects)?,
            push_secrets: PushSecretMetrics::register("pushsecret", &registrar, objects)?,
            cluster_push_secrets: PushSecretMetrics::register("clusterpushsecret", &registrar, objects)?,
            pushed: registrar.counters(
                "external_secrets_pushed_objects_total",
                "Objects that PushSecrets handled at providers, by result: created, version, properties, recovered, unchanged, refused, deleted, left, waiting or failed",
                &["result"],
            )?,
            push_failures: registrar.counters(
                "external_secrets_push_failures_total",
                "Passes over PushSecrets that failed, by cause; docs/conditions.md lists the causes",
                &["cause"],
            )?,
            stores: StoreMetrics::register(&registrar, objects)?,
            controllers: ControllerMetrics::register(&registrar)?,
            api_server: ApiServerMetrics::register(&registrar)?,
            vaults: VaultMetrics::register(&registrar)?,
            syncs: registrar.histograms(
                "external_secrets_sync_duration_seconds",
                "How long syncs of ExternalSecrets took; result is success, error, or unchanged if nothing was due",
                &["result"],
                SYNC,
            )?,
            sync_failures: registrar.counters(
                "external_secrets_sync_failures_total",
                "Syncs that failed, by cause; docs/conditions.md lists the causes",
                &["cause"],
            )?,
            validations: registrar.counters(
                "external_secrets_store_validations_total",
                "Validations of stores by the reason of their condition Ready, and the cause if they are not Valid",
                &["kind", "reason", "cause"],
            )?,
            provider_calls: registrar.counters(
                "externalsecret_provider_api_calls_count",
                "Calls of a provider",
                &["provider", "call", "status"],
            )?,
            provider_time: registrar.histograms(
                "external_secrets_provider_call_duration_seconds",
                "How long calls of a provider took, without the wait for their turn",
                &["provider", "call", "status"],
                CALL,
            )?,
            token_exchanges: registrar.counters(
                "external_secrets_token_exchanges_total",
                "Tokens asked for at the identity provider",
                &["status"],
            )?,
            cache_hits: registrar.counters(
                "external_secrets_coalesced_reads_total",
                "Reads that were answered by another caller's read of the same value",
                &["provider", "how"],
            )?,
            throttled: registrar.counters(
                "external_secrets_throttled_total",
                "Calls that a provider throttled",
                &["provider"],
            )?,
            gate_waits: registrar.histograms(
                "external_secrets_gate_wait_seconds",
                "How long requests waited for their turn",
                &["provider"],
                WAIT,
            )?,
            probes: registrar.counters(
                "external_secrets_probes_total",
                "Requests that found out, on behalf of all waiting callers, whether a failure was over",
                &["provider", "of"],
            )?,
            leader: registrar.gauges(
                "leader_election_master_status",
                "Whether this process leads (1) or stands by (0), by the name of the lease",
                &["name"],
            )?,
            events_dropped: registrar.counters(
                "external_secrets_events_dropped_total",
                "Events that were not written, because an object published more than 25 at once and one every 5 minutes, or because its namespace had the most events waiting",
                &["of"],
            )?,
            registrar,
        };
        let build = ["external_secrets_build_info", "Always 1; the label is the version"];
        let build = metrics.registrar.gauges(build[0], build[1], &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        Ok(metrics)
    }

    /// The text for Prometheus.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registrar.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        text
    }

    /// Adds the metrics of other parts, and lists all.
    #[must_use]
    pub const fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// The metrics of single ExternalSecrets.
    #[must_use]
    pub const fn external_secrets(&self) -> &ExternalSecretMetrics {
        &self.external_secrets
    }

    /// The metrics of single ClusterExternalSecrets.
    #[must_use]
    pub const fn cluster_external_secrets(&self) -> &ClusterExternalSecretMetrics {
        &self.cluster_external_secrets
    }

    /// The metrics of single PushSecrets.
    #[must_use]
    pub const fn push_secrets(&self) -> &PushSecretMetrics {
        &self.push_secrets
    }

    /// The metrics of single ClusterPushSecrets.
    #[must_use]
    pub const fn cluster_push_secrets(&self) -> &PushSecretMetrics {
        &self.cluster_push_secrets
    }

    /// Counts an object that a PushSecret was about, by what was done.
    pub fn object_pushed(&self, result: &str) {
        self.pushed.with_label_values(&[result]).inc();
    }

    /// Counts a pass over a PushSecret that failed for this cause.
    pub fn push_failed(&self, cause: &str) {
        self.push_failures.with_label_values(&[cause]).inc();
    }

    /// The metrics of single stores.
    #[must_use]
    pub const fn stores(&self) -> &StoreMetrics {
        &self.stores
    }

    /// The metrics of the controllers and their queues.
    #[must_use]
    pub const fn controllers(&self) -> &ControllerMetrics {
        &self.controllers
    }

    /// The metrics of requests to the Kubernetes API.
    #[must_use]
    pub const fn api_server(&self) -> &ApiServerMetrics {
        &self.api_server
    }

    /// The metrics of vaults.
    #[must_use]
    pub const fn vaults(&self) -> &VaultMetrics {
        &self.vaults
    }

    /// Records how long a sync took; `result` is `success`, `error` or `unchanged`.
    pub fn sync_took(&self, result: &str, took: Duration) {
        self.syncs.with_label_values(&[result]).observe(took.as_secs_f64());
    }

    /// Counts a sync that failed with this cause.
    pub fn sync_failed(&self, cause: &str) {
        self.sync_failures.with_label_values(&[cause]).inc();
    }

    /// Counts a validation of a store of this kind.
    pub fn store_validated(&self, kind: &str, reason: &str, cause: &str) {
        self.validations.with_label_values(&[kind, reason, cause]).inc();
    }

    /// Counts a call of a provider; `status` is `success` or `error`.
    pub fn provider_call(&self, provider: &str, call: &str, status: &str, took: Duration) {
        let labels = [provider, call, status];
        self.provider_calls.with_label_values(&labels).inc();
        self.provider_time.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// Counts a token exchange; `status` is `success` or `error`.
    pub fn token_exchange(&self, status: &str) {
        self.token_exchanges.with_label_values(&[status]).inc();
    }

    /// Counts a read that another caller's read answered; `how` says whether that was in progress or complete.
    pub fn coalesced_read(&self, provider: &str, how: &str) {
        self.cache_hits.with_label_values(&[provider, how]).inc();
    }

    /// Counts a call that a provider throttled.
    pub fn throttled(&self, provider: &str) {
        self.throttled.with_label_values(&[provider]).inc();
    }

    /// Records how long a request waited for its turn at the provider.
    pub fn gate_wait(&self, provider: &str, waited: Duration) {
        self.gate_waits.with_label_values(&[provider]).observe(waited.as_secs_f64());
    }

    /// Counts a request that found out, on behalf of all waiting callers, whether a failure was over; `of` is the kind
    /// of failure.
    pub fn probe(&self, provider: &str, of: &str) {
        self.probes.with_label_values(&[provider, of]).inc();
    }

    /// Counts events that were not written; `of` is `object` or `namespace`.
    pub fn event_dropped(&self, of: &str, number: u64) {
        self.events_dropped.with_label_values(&[of]).inc_by(number);
    }

    /// Records whether this process holds a lease.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leader.with_label_values(&[lease]).set(f64::from(u8::from(leads)));
    }
}
