//! The metrics of controller-runtime and its queues, under the same names.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus::core::{Collector, Desc, Describer};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Opts};

use super::object_metrics::{family_of, metric};
use super::registrar::{Description, Kind, Registrar};

const CONTROLLER: &[&str] = &["controller"];
const QUEUE: &[&str] = &["name", "controller"];

/// Upper bounds in seconds for the duration of a reconcile.
const RECONCILE: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds in seconds, as in client-go.
const IN_QUEUE: &[f64] = &[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How a reconcile ended, as controller-runtime labels it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing more to do.
    Success,
    /// It failed and will be retried.
    Error,
    /// It is due again at a known time.
    RequeueAfter,
}

impl ReconcileResult {
    /// All of them.
    const ALL: [Self; 3] = [Self::Success, Self::Error, Self::RequeueAfter];

    /// The value of the label, also used in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

/// What a queue holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InQueue {
    /// How many objects wait for their turn.
    pub waiting: usize,
    /// For each object that is being reconciled, since when.
    pub running: Vec<Instant>,
}

/// Asks the queue of a controller.
type AskQueue = Box<dyn Fn(&'static str) -> InQueue + Send + Sync>;

/// The metrics of the controllers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ControllerMetrics {
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    time: HistogramVec,
    active: IntGaugeVec,
    most: GaugeVec,
    adds: IntCounterVec,
    retries: IntCounterVec,
    waited: HistogramVec,
    worked: HistogramVec,
    queues: Queues,
}

/// A reconcile in progress.
#[must_use]
pub struct Working<'a> {
    metrics: &'a ControllerMetrics,
    controller: &'static str,
    began: Instant,
}

impl ControllerMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self, prometheus::Error> {
        let queues = Queues::new()?;
        registrar.collector(queues.clone(), Queues::described())?;
        Ok(Self {
            reconciles: registrar.counters(
                "controller_runtime_reconcile_total",
                "Reconciles by controller and result",
                &["controller", "result"],
            )?,
            errors: registrar.counters(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed",
                CONTROLLER,
            )?,
            time: registrar.histograms(
                "controller_runtime_reconcile_time_seconds",
                "Duration of reconciles",
                CONTROLLER,
                RECONCILE,
            )?,
            active: registrar.int_gauges("controller_runtime_active_workers", "Reconciles in progress", CONTROLLER)?,
            most: registrar.gauges(
                "controller_runtime_max_concurrent_reconciles",
                "The most reconciles that may be in progress at once",
                CONTROLLER,
            )?,
            adds: registrar.counters("workqueue_adds_total", "Objects that came out of a queue", QUEUE)?,
            retries: registrar.counters(
                "workqueue_retries_total",
                "Objects that went back to a queue after a failure",
                QUEUE,
            )?,
            waited: registrar.histograms(
                "workqueue_queue_duration_seconds",
                "How long objects waited in a queue",
                QUEUE,
                IN_QUEUE,
            )?,
            worked: registrar.histograms(
                "workqueue_work_duration_seconds",
                "How long objects were worked on",
                QUEUE,
                IN_QUEUE,
            )?,
            queues,
        })
    }

    /// Registers the controllers and how many objects each reconciles concurrently; `queue` returns what the queue of
    /// one holds.
    pub fn start(
        &self,
        controllers: &[&'static str],
        concurrency: u16,
        queue: impl Fn(&'static str) -> InQueue + Send + Sync + 'static,
    ) {
        for controller in controllers {
            self.most.with_label_values(&[controller]).set(f64::from(concurrency));
            self.active.with_label_values(&[controller]).set(0);
            self.errors.with_label_values(&[controller]).inc_by(0);
            for result in ReconcileResult::ALL {
                // As in controller-runtime, so that a rate exists from the first one on.
                self.reconciles.with_label_values(&[controller, result.label()]).inc_by(0);
            }
        }
        let _ = self.queues.0.asked.set((controllers.to_vec(), Box::new(queue)));
    }

    /// Begins a reconcile of an object that waited in the queue for this long.
    pub fn begin(&self, controller: &'static str, waited: Option<Duration>) -> Working<'_> {
        self.active.with_label_values(&[controller]).inc();
        self.adds.with_label_values(&[controller, controller]).inc();
        self.waited.with_label_values(&[controller, controller]).observe(waited.unwrap_or_default().as_secs_f64());
        Working { metrics: self, controller, began: Instant::now() }
    }
}

impl Working<'_> {
    /// The reconcile has ended. Returns how long it took.
    #[must_use]
    pub fn ended(self, result: ReconcileResult) -> Duration {
        let (metrics, controller, took) = (self.metrics, self.controller, self.began.elapsed());
        metrics.reconciles.with_label_values(&[controller, result.label()]).inc();
        if result == ReconcileResult::Error {
            metrics.errors.with_label_values(&[controller]).inc();
            metrics.retries.with_label_values(&[controller, controller]).inc();
        }
        metrics.time.with_label_values(&[controller]).observe(took.as_secs_f64());
        metrics.worked.with_label_values(&[controller, controller]).observe(took.as_secs_f64());
        took
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.metrics.active.with_label_values(&[self.controller]).dec();
    }
}

/// What is reported about the queues at the time of a scrape.
#[derive(Clone)]
struct Queues(Arc<QueuesInner>);

struct QueuesInner {
    asked: OnceLock<(Vec<&'static str>, AskQueue)>,
    descriptions: Vec<Desc>,
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").finish_non_exhaustive()
    }
}

/// Names and help texts.
const SHOWN: [(&str, &str); 3] = [
    ("workqueue_depth", "Objects that wait in a queue for their turn"),
    ("workqueue_unfinished_work_seconds", "How long all reconciles in progress have taken so far, in total"),
    ("workqueue_longest_running_processor_seconds", "How long the longest reconcile in progress has taken so far"),
];

impl Queues {
    fn new() -> Result<Self, prometheus::Error> {
        let describe = |(name, help): &(&str, &str)| {
            Opts::new(*name, *help).variable_labels(QUEUE.iter().map(|label| (*label).to_owned()).collect()).describe()
        };
        let descriptions = SHOWN.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(QueuesInner { asked: OnceLock::new(), descriptions })))
    }

    fn described() -> impl Iterator<Item = Description> {
        SHOWN.iter().map(|(name, help)| Description {
            name: (*name).to_owned(),
            kind: Kind::Gauge,
            help: (*help).to_owned(),
            labels: QUEUE.to_vec(),
        })
    }
}

impl Collector for Queues {
    fn desc(&self) -> Vec<&Desc> {
        self.0.descriptions.iter().collect()
    }

    #[allow(clippy::cast_precision_loss, reason = "metrics are floats; a queue has far fewer than 53 bits")]
    fn collect(&self) -> Vec<MetricFamily> {
        let Some((controllers, queue)) = self.0.asked.get() else { return Vec::new() };
        let mut metrics = SHOWN.map(|_| Vec::new());
        for &controller in controllers {
            let InQueue { waiting, running } = queue(controller);
            let unfinished: Vec<_> = running.iter().map(|since| since.elapsed().as_secs_f64()).collect();
            let values = [waiting as f64, unfinished.iter().sum(), unfinished.iter().copied().fold(0.0, f64::max)];
            for (metrics, value) in metrics.iter_mut().zip(values) {
                metrics.push(metric(Kind::Gauge, QUEUE.iter().map(|label| (*label, controller)), value));
            }
        }
        let families = SHOWN.into_iter().zip(metrics);
        families.map(|((name, help), metrics)| family_of(name, help, Kind::Gauge, metrics)).collect()
    }
}
