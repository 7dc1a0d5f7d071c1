//! The metrics of single ClusterExternalSecrets, as in ESO, and how many namespaces each has.

use std::time::Duration;

use super::object_metrics::{CONDITION, Column, OBJECT, Object, ObjectOptions, ObjectTable, number, show_ready};
use super::registrar::{Kind, Registrar};

/// The labels of the number of namespaces.
const STATE: &[&str] = &["name", "namespace", "state"];

/// How many namespaces a ClusterExternalSecret has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// With a correct ExternalSecret.
    pub provisioned: usize,
    /// Without one.
    pub failed: usize,
}

/// What is counted of a ClusterExternalSecret.
#[derive(Debug, Default)]
struct Row {
    ready: Option<bool>,
    nanoseconds: u64,
    namespaces: Namespaces,
}

/// The metrics of single ClusterExternalSecrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ClusterExternalSecretMetrics(ObjectTable<Row>);

impl ClusterExternalSecretMetrics {
    pub(super) fn register(registrar: &Registrar, options: ObjectOptions) -> Result<Self, prometheus::Error> {
        ObjectTable::register(registrar, columns(), Vec::new(), options).map(Self)
    }

    /// Sets the condition `Ready` if it is known, the number of namespaces, and how long a reconcile took.
    pub fn reconciled(&self, object: Object<'_>, ready: Option<bool>, namespaces: Namespaces, took: Duration) {
        self.0.change(object, |row| {
            row.ready = ready;
            row.namespaces = namespaces;
            row.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        });
    }

    /// Forgets a deleted ClusterExternalSecret.
    pub fn deleted(&self, name: &str) {
        self.0.forget("", name);
    }
}

fn columns() -> Vec<Column<Row>> {
    vec![
        Column {
            name: "clusterexternalsecret_status_condition".to_owned(),
            help: "Whether a condition of a ClusterExternalSecret has a status: 1, else 0",
            labels: CONDITION,
            kind: Kind::Gauge,
            values: |row, _, show| show_ready(row.ready, show),
        },
        Column {
            name: "clusterexternalsecret_reconcile_duration".to_owned(),
            help: "Duration of the last reconcile of a ClusterExternalSecret in nanoseconds",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| show(&[], number(row.nanoseconds)),
        },
        Column {
            name: "clusterexternalsecret_namespaces".to_owned(),
            help: "Namespaces of a ClusterExternalSecret, by whether its ExternalSecret is correct",
            labels: STATE,
            kind: Kind::Gauge,
            values: |row, _, show| {
                for (state, count) in [("provisioned", row.namespaces.provisioned), ("failed", row.namespaces.failed)] {
                    show(&[state], number(u64::try_from(count).unwrap_or(u64::MAX)));
                }
            },
        },
    ]
}
