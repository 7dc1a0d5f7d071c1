//! The metrics of single PushSecrets and ClusterPushSecrets, as ESO has them.

use std::time::Duration;

use super::object_metrics::{CONDITION, Column, OBJECT, Object, ObjectOptions, ObjectTable, number, show_ready};
use super::registrar::{Kind, Registrar};

/// What is counted of a PushSecret.
#[derive(Debug, Default)]
struct Row {
    ready: Option<bool>,
    nanoseconds: u64,
}

/// The metrics of single objects of one of the two kinds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PushSecretMetrics(ObjectTable<Row>);

impl PushSecretMetrics {
    /// Of the kind whose metrics begin with `subsystem`.
    pub(super) fn register(
        subsystem: &'static str,
        registrar: &Registrar,
        options: ObjectOptions,
    ) -> Result<Self, prometheus::Error> {
        ObjectTable::register(registrar, columns(subsystem), Vec::new(), options).map(Self)
    }

    /// Shows the condition `Ready`, as far as it is known, and how long a pass took.
    pub fn reconciled(&self, object: Object<'_>, ready: Option<bool>, took: Duration) {
        self.0.change(object, |row| {
            row.ready = ready;
            row.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        });
    }

    /// Forgets one that was deleted.
    pub fn deleted(&self, namespace: &str, name: &str) {
        self.0.forget(namespace, name);
    }
}

fn columns(subsystem: &str) -> Vec<Column<Row>> {
    vec![
        Column {
            name: format!("{subsystem}_status_condition"),
            help: "Whether a condition of a PushSecret or ClusterPushSecret has a status: 1, else 0",
            labels: CONDITION,
            kind: Kind::Gauge,
            values: |row, _, show| show_ready(row.ready, show),
        },
        Column {
            name: format!("{subsystem}_reconcile_duration"),
            help: "Duration of the last pass over a PushSecret or ClusterPushSecret in nanoseconds",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| show(&[], number(row.nanoseconds)),
        },
    ]
}
