//! Registers metrics, and remembers what was registered: the registry itself does not list metrics that have no value
//! yet.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Registers metrics. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Registrar {
    registry: Registry,
    described: Arc<Mutex<Vec<Description>>>,
}

/// What a metric is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its help text.
    pub help: String,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
}

/// The types of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size: it has the series `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

impl Registrar {
    /// A counter with labels.
    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?, name, Kind::Counter, help, labels)
    }

    /// A gauge with labels.
    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
    ) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?, name, Kind::Gauge, help, labels)
    }

    /// A gauge of whole numbers with labels.
    pub(super) fn int_gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?, name, Kind::Gauge, help, labels)
    }

    /// A histogram with labels, and the upper bounds of its buckets.
    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels)?, name, Kind::Histogram, help, labels)
    }

    fn register<C: Collector + Clone + 'static>(
        &self,
        collector: C,
        name: &str,
        kind: Kind,
        help: &str,
        labels: &[&'static str],
    ) -> Result<C, prometheus::Error> {
        let description = Description { name: name.to_owned(), kind, help: help.to_owned(), labels: labels.to_vec() };
        self.collector(collector.clone(), [description])?;
        Ok(collector)
    }

    /// Adds something that produces metrics at a scrape, with their descriptions.
    pub(super) fn collector(
        &self,
        collector: impl Collector + 'static,
        descriptions: impl IntoIterator<Item = Description>,
    ) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(collector))?;
        self.described.lock().unwrap_or_else(PoisonError::into_inner).extend(descriptions);
        Ok(())
    }

    /// All values.
    #[must_use]
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// What was registered, by name.
    #[must_use]
    pub fn described(&self) -> Vec<Description> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner).clone();
        described.sort_by(|one, other| one.name.cmp(&other.name));
        described
    }
}
