//! The metrics of single stores, as in ESO.

use std::time::Duration;

use super::object_metrics::{CONDITION, Column, OBJECT, Object, ObjectOptions, ObjectTable, number, show_ready};
use super::registrar::{Kind, Registrar};

/// The two kinds of stores, which have separate metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreSubsystem {
    /// `secretstore_*`
    SecretStore,
    /// `clustersecretstore_*`
    ClusterSecretStore,
}

/// What is counted for a store.
#[derive(Debug, Default)]
struct Row {
    ready: Option<bool>,
    nanoseconds: u64,
}

/// The metrics of single stores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    secret_stores: ObjectTable<Row>,
    cluster_secret_stores: ObjectTable<Row>,
}

impl StoreMetrics {
    pub(super) fn register(registrar: &Registrar, options: ObjectOptions) -> Result<Self, prometheus::Error> {
        let table = |subsystem| ObjectTable::register(registrar, columns(subsystem), Vec::new(), options);
        Ok(Self { secret_stores: table("secretstore")?, cluster_secret_stores: table("clustersecretstore")? })
    }

    const fn of(&self, kind: StoreSubsystem) -> &ObjectTable<Row> {
        match kind {
            StoreSubsystem::SecretStore => &self.secret_stores,
            StoreSubsystem::ClusterSecretStore => &self.cluster_secret_stores,
        }
    }

    /// Records a store's condition `Ready`, and how long its validation took.
    pub fn validated(&self, kind: StoreSubsystem, object: Object<'_>, ready: bool, took: Duration) {
        self.of(kind).change(object, |row| {
            row.ready = Some(ready);
            row.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        });
    }

    /// Forgets a deleted store.
    pub fn deleted(&self, kind: StoreSubsystem, namespace: &str, name: &str) {
        self.of(kind).forget(namespace, name);
    }
}

fn columns(subsystem: &str) -> Vec<Column<Row>> {
    vec![
        Column {
            name: format!("{subsystem}_status_condition"),
            help: "Whether a condition of a store has a status: 1, else 0",
            labels: CONDITION,
            kind: Kind::Gauge,
            values: |row, _, show| show_ready(row.ready, show),
        },
        Column {
            name: format!("{subsystem}_reconcile_duration"),
            help: "Duration of the last validation of a store in nanoseconds",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| show(&[], number(row.nanoseconds)),
        },
    ]
}
