//! Metrics under ESO's names and labels, so that its dashboards and alerts go on working.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use super::object_metrics::ObjectMetrics;
use super::vault_metrics::VaultMetrics;

/// All metrics of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    external_secrets: ObjectMetrics,
    store_condition: [GaugeVec; 2],
    store_duration: [GaugeVec; 2],
    provider_calls: IntCounterVec,
    token_exchanges: IntCounterVec,
    cache_hits: IntCounterVec,
    throttled: IntCounterVec,
    gate_waits: HistogramVec,
    probes: IntCounterVec,
    vaults: VaultMetrics,
    leader: GaugeVec,
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    reconcile_time: HistogramVec,
}

/// The two kinds of stores have metrics of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreSubsystem {
    /// `secretstore_*`
    SecretStore,
    /// `clustersecretstore_*`
    ClusterSecretStore,
}

/// How a reconcile ended, as controller-runtime labels it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing more to do.
    Success,
    /// It failed and will be tried again.
    Error,
    /// It is due again at a known time.
    RequeueAfter,
}

impl ReconcileResult {
    const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

impl Metrics {
    /// Registers all metrics with a registry of their own.
    ///
    /// # Errors
    /// Never with the names below; the registry checks them.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let object = ["name", "namespace"];
        let condition = ["name", "namespace", "condition", "status"];
        let store = |subsystem: &str| -> Result<(GaugeVec, GaugeVec), prometheus::Error> {
            let (status, duration) =
                (format!("{subsystem}_status_condition"), format!("{subsystem}_reconcile_duration"));
            Ok((
                gauges(&registry, &status, "Whether a condition of a store has a status: 1, else 0", &condition)?,
                gauges(&registry, &duration, "Duration of the last validation in nanoseconds", &object)?,
            ))
        };
        let (secret_store, secret_store_time) = store("secretstore")?;
        let (cluster_store, cluster_store_time) = store("clustersecretstore")?;
        let external_secrets = ObjectMetrics::new()?;
        registry.register(Box::new(external_secrets.clone()))?;
        let metrics = Self {
            external_secrets,
            store_condition: [secret_store, cluster_store],
            store_duration: [secret_store_time, cluster_store_time],
            provider_calls: counters(
                &registry,
                "externalsecret_provider_api_calls_count",
                "Calls of a provider",
                &["provider", "call", "status"],
            )?,
            token_exchanges: counters(
                &registry,
                "external_secrets_token_exchanges_total",
                "Tokens asked for at the identity provider",
                &["status"],
            )?,
            cache_hits: counters(
                &registry,
                "external_secrets_coalesced_reads_total",
                "Reads that were answered by another caller's read of the same value",
                &["provider", "how"],
            )?,
            gate_waits: gate_waits(&registry)?,
            probes: counters(
                &registry,
                "external_secrets_probes_total",
                "Requests that found out, for all who waited, whether a failure was over",
                &["provider", "of"],
            )?,
            vaults: VaultMetrics::register(&registry)?,
            leader: gauges(
                &registry,
                "leader_election_master_status",
                "Whether this process leads (1) or stands by (0), by the name of the lease",
                &["name"],
            )?,
            throttled: counters(
                &registry,
                "external_secrets_throttled_total",
                "Calls that a provider refused to slow us down",
                &["provider"],
            )?,
            reconciles: counters(
                &registry,
                "controller_runtime_reconcile_total",
                "Reconciles by controller and result",
                &["controller", "result"],
            )?,
            reconcile_errors: counters(
                &registry,
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed",
                &["controller"],
            )?,
            reconcile_time: reconcile_times(&registry)?,
            registry,
        };
        metrics.describe_build()?;
        Ok(metrics)
    }

    fn describe_build(&self) -> Result<(), prometheus::Error> {
        let options = Opts::new("external_secrets_build_info", "Always 1; the label is the version")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let build = IntGauge::with_opts(options)?;
        build.set(1);
        self.registry.register(Box::new(build))
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        text
    }

    /// The metrics of single ExternalSecrets.
    #[must_use]
    pub const fn external_secrets(&self) -> &ObjectMetrics {
        &self.external_secrets
    }

    /// Shows a store's condition `Ready`, and how long its validation took.
    pub fn store_validated(&self, kind: StoreSubsystem, namespace: &str, name: &str, status: &str, took: Duration) {
        show_ready(&self.store_condition[kind as usize], namespace, name, status);
        self.store_duration[kind as usize].with_label_values(&[name, namespace]).set(nanoseconds(took));
    }

    /// Forgets a store that was deleted.
    pub fn store_deleted(&self, kind: StoreSubsystem, namespace: &str, name: &str) {
        forget_ready(&self.store_condition[kind as usize], namespace, name);
        let _ = self.store_duration[kind as usize].remove_label_values(&[name, namespace]);
    }

    /// Counts a call of a provider; `status` is `success` or `error`.
    pub fn provider_call(&self, provider: &str, call: &str, status: &str) {
        self.provider_calls.with_label_values(&[provider, call, status]).inc();
    }

    /// Counts a token exchange; `status` is `success` or `error`.
    pub fn token_exchange(&self, status: &str) {
        self.token_exchanges.with_label_values(&[status]).inc();
    }

    /// Counts a read that another caller's read answered; `how` says whether it was under way or done.
    pub fn coalesced_read(&self, provider: &str, how: &str) {
        self.cache_hits.with_label_values(&[provider, how]).inc();
    }

    /// Notes how long a request waited for its turn at the provider.
    pub fn gate_wait(&self, provider: &str, waited: Duration) {
        self.gate_waits.with_label_values(&[provider]).observe(waited.as_secs_f64());
    }

    /// Counts a request that found out, for all who waited, whether a failure was over; `of` says which kind of failure.
    pub fn probe(&self, provider: &str, of: &str) {
        self.probes.with_label_values(&[provider, of]).inc();
    }

    /// Those of vaults.
    #[must_use]
    pub const fn vaults(&self) -> &VaultMetrics {
        &self.vaults
    }

    /// Counts a call that a provider refused to slow us down.
    pub fn throttled(&self, provider: &str) {
        self.throttled.with_label_values(&[provider]).inc();
    }

    /// Counts a reconcile of a controller.
    pub fn reconciled(&self, controller: &str, result: ReconcileResult, took: Duration) {
        self.reconciles.with_label_values(&[controller, result.label()]).inc();
        if result == ReconcileResult::Error {
            self.reconcile_errors.with_label_values(&[controller]).inc();
        }
        self.reconcile_time.with_label_values(&[controller]).observe(took.as_secs_f64());
    }

    /// Where metrics of other parts are added.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Says whether this process holds a lease.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leader.with_label_values(&[lease]).set(f64::from(u8::from(leads)));
    }

    /// Says how many objects a controller works on at once, at the most.
    ///
    /// # Errors
    /// When it was said before.
    pub fn max_concurrent_reconciles(&self, controllers: &[&str], concurrency: u16) -> Result<(), prometheus::Error> {
        let name = "controller_runtime_max_concurrent_reconciles";
        let help = "Maximum number of concurrent reconciles per controller";
        for controller in controllers {
            let gauge = Gauge::with_opts(Opts::new(name, help).const_label("controller", *controller))?;
            gauge.set(f64::from(concurrency));
            self.registry.register(Box::new(gauge))?;
        }
        Ok(())
    }
}

/// Both statuses are shown, one of them 1 and the other 0, as ESO does.
fn show_ready(gauges: &GaugeVec, namespace: &str, name: &str, status: &str) {
    for shown in ["True", "False"] {
        let value = if shown == status { 1.0 } else { 0.0 };
        gauges.with_label_values(&[name, namespace, "Ready", shown]).set(value);
    }
}

fn forget_ready(gauges: &GaugeVec, namespace: &str, name: &str) {
    for status in ["True", "False"] {
        let _ = gauges.remove_label_values(&[name, namespace, "Ready", status]);
    }
}

/// ESO's gauges of durations are in nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "a gauge is a float; durations here have far fewer than 53 bits")]
fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(vec.clone()))?;
    Ok(vec)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    let vec = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(vec.clone()))?;
    Ok(vec)
}

fn gate_waits(registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new("external_secrets_gate_wait_seconds", "How long requests waited for their turn")
        .buckets(vec![0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0]);
    let vec = HistogramVec::new(options, &["provider"])?;
    registry.register(Box::new(vec.clone()))?;
    Ok(vec)
}

fn reconcile_times(registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new("controller_runtime_reconcile_time_seconds", "Duration of reconciles")
        .buckets(vec![0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]);
    let vec = HistogramVec::new(options, &["controller"])?;
    registry.register(Box::new(vec.clone()))?;
    Ok(vec)
}
