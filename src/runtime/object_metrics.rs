//! The metrics of single ExternalSecrets. The prometheus crate takes about 5 KB for the metrics of each, most of it
//! descriptions that are all the same; this takes a small row, and makes metrics of it when somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::Opts;
use prometheus::core::{Collector, Desc, Describer};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

const OBJECT: &[&str] = &["name", "namespace"];
const CONDITION: &[&str] = &["name", "namespace", "condition", "status"];

/// A metric: its name, what it says, its labels, and its values in the row of an object.
struct Column {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    kind: MetricType,
    values: Values,
}

/// Shows values, each with those of the labels that follow name and namespace.
type Values = fn(&Row, &mut dyn FnMut(&[&str], f64));

/// ESO's, and the time of the last success, from which staleness can be told.
const COLUMNS: [Column; 5] = [
    Column {
        name: "externalsecret_sync_calls_total",
        help: "Syncs of an ExternalSecret",
        labels: OBJECT,
        kind: MetricType::COUNTER,
        values: |row, show| show(&[], number(row.syncs)),
    },
    Column {
        name: "externalsecret_sync_calls_error",
        help: "Syncs that failed",
        labels: OBJECT,
        kind: MetricType::COUNTER,
        values: |row, show| {
            if row.failures > 0 {
                show(&[], number(row.failures));
            }
        },
    },
    Column {
        name: "externalsecret_status_condition",
        help: "Whether a condition of an ExternalSecret has a status: 1, else 0",
        labels: CONDITION,
        kind: MetricType::GAUGE,
        // Both statuses are shown, one of them 1 and the other 0, as ESO does.
        values: |row, show| {
            if let Some(ready) = row.ready {
                show(&["Ready", "True"], f64::from(u8::from(ready)));
                show(&["Ready", "False"], f64::from(u8::from(!ready)));
            }
        },
    },
    Column {
        name: "externalsecret_reconcile_duration",
        help: "Duration of the last sync in nanoseconds",
        labels: OBJECT,
        kind: MetricType::GAUGE,
        values: |row, show| show(&[], number(row.nanoseconds)),
    },
    Column {
        name: "external_secrets_last_success_timestamp_seconds",
        help: "When an ExternalSecret was last synced, in seconds since 1970",
        labels: OBJECT,
        kind: MetricType::GAUGE,
        values: |row, show| {
            if row.last_success > 0 {
                show(&[], number(row.last_success));
            }
        },
    },
];

/// What is counted of one object.
#[derive(Debug, Default)]
struct Row {
    syncs: u64,
    failures: u64,
    nanoseconds: u64,
    /// Seconds since 1970; 0 before the first.
    last_success: u64,
    ready: Option<bool>,
}

/// The rows of all objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ObjectMetrics {
    rows: Arc<Mutex<Namespaces>>,
    descriptions: Arc<[Desc]>,
}

/// Rows by namespace and name.
type Namespaces = HashMap<Box<str>, HashMap<Box<str>, Row>>;

impl ObjectMetrics {
    /// No rows.
    ///
    /// # Errors
    /// Never with the names above; the crate checks them.
    pub fn new() -> Result<Self, prometheus::Error> {
        let describe = |column: &Column| {
            let labels = column.labels.iter().map(|label| (*label).to_owned()).collect();
            Opts::new(column.name, column.help).variable_labels(labels).describe()
        };
        let descriptions = COLUMNS.iter().map(describe).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rows: Arc::default(), descriptions: descriptions.into() })
    }

    /// Counts a sync, and how long it took.
    pub fn synced(&self, namespace: &str, name: &str, took: Duration) {
        self.change(namespace, name, |row| {
            row.syncs += 1;
            row.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        });
    }

    /// Counts a sync that failed.
    pub fn failed(&self, namespace: &str, name: &str) {
        self.change(namespace, name, |row| {
            row.failures += 1;
            row.ready = Some(false);
        });
    }

    /// Notes a success, at so many seconds since 1970.
    pub fn succeeded(&self, namespace: &str, name: &str, at: u64) {
        self.change(namespace, name, |row| {
            row.ready = Some(true);
            row.last_success = at;
        });
    }

    /// Forgets an object that was deleted.
    pub fn deleted(&self, namespace: &str, name: &str) {
        let mut rows = self.lock();
        if let Some(names) = rows.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                rows.remove(namespace);
            }
        }
    }

    fn change(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Row)) {
        let mut rows = self.lock();
        if let Some(row) = rows.get_mut(namespace).and_then(|names| names.get_mut(name)) {
            return change(row);
        }
        change(rows.entry(namespace.into()).or_default().entry(name.into()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, Namespaces> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for ObjectMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let rows = self.lock();
        COLUMNS.iter().map(|column| family(column, &rows)).collect()
    }
}

fn family(column: &Column, rows: &Namespaces) -> MetricFamily {
    let mut metrics = Vec::new();
    for (namespace, names) in rows {
        for (name, row) in names {
            (column.values)(row, &mut |labels, value| {
                let values = [&**name, &**namespace].into_iter().chain(labels.iter().copied());
                metrics.push(metric(column, values, value));
            });
        }
    }
    let mut family = MetricFamily::default();
    family.set_name(column.name.to_owned());
    family.set_help(column.help.to_owned());
    family.set_field_type(column.kind);
    family.set_metric(metrics);
    family
}

fn metric<'a>(column: &Column, values: impl Iterator<Item = &'a str>, value: f64) -> Metric {
    let pairs = column.labels.iter().zip(values).map(|(label, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*label).to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    let mut pairs: Vec<_> = pairs.collect();
    // As in the crate's own metrics.
    pairs.sort_by(|one, other| one.name().cmp(other.name()));
    let mut metric = Metric::from_label(pairs);
    if column.kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floats; these have far fewer than 53 bits")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, Registry, TextEncoder};

    use super::*;

    fn text(metrics: &ObjectMetrics) -> String {
        let registry = Registry::new();
        registry.register(Box::new(metrics.clone())).unwrap();
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn an_object_is_shown_under_the_names_and_labels_of_eso() {
        let metrics = ObjectMetrics::new().unwrap();
        metrics.synced("team-a", "example", Duration::from_micros(2));
        metrics.succeeded("team-a", "example", 1_700_000_000);
        metrics.failed("team-a", "other");
        let text = text(&metrics);
        for line in [
            r#"externalsecret_sync_calls_total{name="example",namespace="team-a"} 1"#,
            r#"externalsecret_sync_calls_error{name="other",namespace="team-a"} 1"#,
            r#"externalsecret_status_condition{condition="Ready",name="example",namespace="team-a",status="True"} 1"#,
            r#"externalsecret_status_condition{condition="Ready",name="example",namespace="team-a",status="False"} 0"#,
            r#"externalsecret_status_condition{condition="Ready",name="other",namespace="team-a",status="False"} 1"#,
            r#"externalsecret_reconcile_duration{name="example",namespace="team-a"} 2000"#,
            r#"external_secrets_last_success_timestamp_seconds{name="example",namespace="team-a"} 1700000000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_deleted_object_is_shown_no_more() {
        let metrics = ObjectMetrics::new().unwrap();
        metrics.synced("team-a", "example", Duration::ZERO);
        metrics.deleted("team-a", "example");
        assert!(!text(&metrics).contains("example"));
    }
}
