//! The metrics of single ExternalSecrets: ESO's, and whether they are up to date.

use std::time::Duration;

use super::object_metrics::{
    CONDITION, Column, OBJECT, Object, ObjectOptions, ObjectTable, RemoteExpiry, Total, number, show_ready,
};
use super::registrar::{Kind, Registrar};

/// What is counted for an ExternalSecret. Times are seconds since 1970; 0 means none.
#[derive(Debug, Default)]
struct Row {
    syncs: u64,
    failures: u64,
    nanoseconds: u64,
    last_success: u64,
    /// When the next sync is due, or since when one has been due without succeeding.
    due: u64,
    /// When the first of its values expires at the provider.
    expires: i64,
    ready: Option<bool>,
}

impl Row {
    /// How long a due sync has been waiting.
    fn staleness(&self, now: u64) -> u64 {
        if self.due == 0 { 0 } else { now.saturating_sub(self.due) }
    }
}

/// The metrics of single ExternalSecrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ExternalSecretMetrics {
    table: ObjectTable<Row>,
    remote_expiry: RemoteExpiry,
}

impl ExternalSecretMetrics {
    pub(super) fn register(registrar: &Registrar, options: ObjectOptions) -> Result<Self, prometheus::Error> {
        let table = ObjectTable::register(registrar, columns(), totals(), options)?;
        Ok(Self { table, remote_expiry: options.remote_expiry })
    }

    /// Counts a sync, and how long it took.
    pub fn synced(&self, object: Object<'_>, took: Duration) {
        self.table.change(object, |row| {
            row.syncs += 1;
            row.nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        });
    }

    /// Counts a sync that failed. Times here and below are seconds since 1970.
    pub fn failed(&self, object: Object<'_>, now: u64) {
        self.table.change(object, |row| {
            row.failures += 1;
            row.ready = Some(false);
            if row.due == 0 || row.due > now {
                row.due = now;
            }
        });
    }

    /// Records when an ExternalSecret was synced, and when it is due again.
    pub fn succeeded(&self, object: Object<'_>, at: u64, due: Option<u64>) {
        self.up_to_date(object, Some(true), at, due);
    }

    /// Records the status of one that needs nothing at present: another process may have synced it.
    pub fn up_to_date(&self, object: Object<'_>, ready: Option<bool>, last_success: u64, due: Option<u64>) {
        self.table.change(object, |row| {
            row.ready = ready;
            row.last_success = last_success;
            row.due = due.unwrap_or_default();
        });
    }

    /// Records when the first of its values expires, if that is to be shown.
    pub fn expires(&self, object: Object<'_>, at: Option<i64>) {
        if self.remote_expiry == RemoteExpiry::Shown {
            self.table.change(object, |row| row.expires = at.unwrap_or_default());
        }
    }

    /// Forgets a deleted ExternalSecret.
    pub fn deleted(&self, namespace: &str, name: &str) {
        self.table.forget(namespace, name);
    }
}

fn columns() -> Vec<Column<Row>> {
    vec![
        Column {
            name: "externalsecret_sync_calls_total".to_owned(),
            help: "Syncs of an ExternalSecret",
            labels: OBJECT,
            kind: Kind::Counter,
            values: |row, _, show| show(&[], number(row.syncs)),
        },
        Column {
            name: "externalsecret_sync_calls_error".to_owned(),
            help: "Syncs of an ExternalSecret that failed",
            labels: OBJECT,
            kind: Kind::Counter,
            values: |row, _, show| {
                if row.failures > 0 {
                    show(&[], number(row.failures));
                }
            },
        },
        Column {
            name: "externalsecret_status_condition".to_owned(),
            help: "Whether a condition of an ExternalSecret has a status: 1, else 0",
            labels: CONDITION,
            kind: Kind::Gauge,
            values: |row, _, show| show_ready(row.ready, show),
        },
        Column {
            name: "externalsecret_reconcile_duration".to_owned(),
            help: "Duration of the last sync of an ExternalSecret in nanoseconds",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| show(&[], number(row.nanoseconds)),
        },
        Column {
            name: "external_secrets_last_success_timestamp_seconds".to_owned(),
            help: "When an ExternalSecret was last synced, in seconds since 1970",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| {
                if row.last_success > 0 {
                    show(&[], number(row.last_success));
                }
            },
        },
        Column {
            name: "external_secrets_remote_expiry_timestamp_seconds".to_owned(),
            help: "When the first value that an ExternalSecret reads expires at the provider, in seconds since 1970; with --enable-remote-expiry-metrics, and where one does",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, _, show| {
                if let Ok(expires @ 1..) = u64::try_from(row.expires) {
                    show(&[], number(expires));
                }
            },
        },
        Column {
            name: "external_secrets_staleness_seconds".to_owned(),
            help: "For how long an ExternalSecret has waited for a sync that was due; 0 if it is up to date",
            labels: OBJECT,
            kind: Kind::Gauge,
            values: |row, now, show| show(&[], number(row.staleness(now))),
        },
    ]
}

fn totals() -> Vec<Total<Row>> {
    vec![
        Total {
            name: "external_secrets_objects",
            help: "ExternalSecrets by the status of their condition Ready, including those without their own metrics",
            label: Some(("ready", &["True", "False", "Unknown"])),
            fold: |sum, row, _, index| {
                let status = row.ready.map_or(2, |ready| usize::from(!ready));
                sum + f64::from(u8::from(status == index))
            },
        },
        Total {
            name: "external_secrets_staleness_seconds_max",
            help: "The largest external_secrets_staleness_seconds, including those without their own metrics",
            label: None,
            fold: |most, row, now, _| most.max(number(row.staleness(now))),
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prometheus::{Encoder, TextEncoder};

    use super::*;
    use crate::runtime::object_metrics::ExtendedLabels;

    fn made(options: ObjectOptions) -> (Registrar, ExternalSecretMetrics) {
        let registrar = Registrar::default();
        let metrics = ExternalSecretMetrics::register(&registrar, options).unwrap();
        (registrar, metrics)
    }

    fn text(registrar: &Registrar) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registrar.gather(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    const fn named(name: &str) -> Object<'_> {
        Object { namespace: "team-a", name, labels: None }
    }

    #[track_caller]
    fn shows(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn an_object_is_shown_under_the_names_and_labels_of_eso() {
        let (registrar, metrics) = made(ObjectOptions::default());
        metrics.synced(named("example"), Duration::from_micros(2));
        metrics.succeeded(named("example"), 1_700_000_000, None);
        metrics.failed(named("other"), 1_700_000_000);
        let text = text(&registrar);
        for line in [
            r#"externalsecret_sync_calls_total{name="example",namespace="team-a"} 1"#,
            r#"externalsecret_sync_calls_error{name="other",namespace="team-a"} 1"#,
            r#"externalsecret_status_condition{condition="Ready",name="example",namespace="team-a",status="True"} 1"#,
            r#"externalsecret_status_condition{condition="Ready",name="example",namespace="team-a",status="False"} 0"#,
            r#"externalsecret_status_condition{condition="Ready",name="other",namespace="team-a",status="False"} 1"#,
            r#"externalsecret_reconcile_duration{name="example",namespace="team-a"} 2000"#,
            r#"external_secrets_last_success_timestamp_seconds{name="example",namespace="team-a"} 1700000000"#,
        ] {
            shows(&text, line);
        }
    }

    #[test]
    fn a_deleted_object_is_shown_no_more() {
        let (registrar, metrics) = made(ObjectOptions::default());
        metrics.synced(named("example"), Duration::ZERO);
        metrics.deleted("team-a", "example");
        assert!(!text(&registrar).contains("example"));
    }

    #[test]
    fn with_extended_labels_those_of_the_object_are_shown_under_the_names_of_eso() {
        let (registrar, metrics) = made(ObjectOptions { extended: ExtendedLabels::Shown, ..ObjectOptions::default() });
        let labels = BTreeMap::from([
            ("app.kubernetes.io/part-of".to_owned(), "shop".to_owned()),
            ("team".to_owned(), "a".to_owned()),
        ]);
        metrics.synced(Object { labels: Some(&labels), ..named("example") }, Duration::ZERO);
        shows(
            &text(&registrar),
            "externalsecret_sync_calls_total{app_kubernetes_io_component=\"\",app_kubernetes_io_instance=\"\",\
             app_kubernetes_io_managed_by=\"\",app_kubernetes_io_name=\"\",app_kubernetes_io_part_of=\"shop\",\
             app_kubernetes_io_version=\"\",name=\"example\",namespace=\"team-a\"} 1",
        );
    }

    #[test]
    fn staleness_begins_when_a_sync_was_due_and_ends_when_one_succeeds() {
        let mut row = Row::default();
        assert_eq!(row.staleness(5_000), 0, "nothing was due");
        row.due = 1_000;
        assert_eq!((row.staleness(900), row.staleness(1_030)), (0, 30));
        let (registrar, metrics) = made(ObjectOptions::default());
        let now = jiff::Timestamp::now().as_second().unsigned_abs();
        metrics.succeeded(named("example"), now, Some(now + 3_600));
        shows(&text(&registrar), r#"external_secrets_staleness_seconds{name="example",namespace="team-a"} 0"#);
        // A change was synced before the next refresh was due.
        metrics.failed(named("example"), now - 7_200);
        let failing = text(&registrar);
        let value = failing.lines().find_map(|line| line.strip_prefix("external_secrets_staleness_seconds_max "));
        assert!(value.unwrap().parse::<f64>().unwrap() >= 7_200.0, "{failing}");
        metrics.succeeded(named("example"), now, None);
        shows(&text(&registrar), r#"external_secrets_staleness_seconds{name="example",namespace="team-a"} 0"#);
    }

    #[test]
    fn only_so_many_objects_have_metrics_of_their_own_and_the_totals_count_all() {
        let (registrar, metrics) = made(ObjectOptions { most: 2, ..ObjectOptions::default() });
        for name in ["a", "b", "c"] {
            metrics.succeeded(named(name), 1_700_000_000, None);
        }
        metrics.failed(named("d"), 1_700_000_000);
        let before = text(&registrar);
        assert!(before.contains("\"b\"") && !before.contains("\"c\"") && !before.contains("\"d\""), "{before}");
        shows(&before, r#"external_secrets_objects{ready="True"} 3"#);
        shows(&before, r#"external_secrets_objects{ready="False"} 1"#);
        metrics.deleted("team-a", "a");
        metrics.succeeded(named("c"), 1_700_000_001, None);
        assert!(text(&registrar).contains("\"c\""), "a deleted one makes room for another");
    }
}
