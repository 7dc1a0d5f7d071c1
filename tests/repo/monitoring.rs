//! Dashboard and alerts use metrics that the program has, and each alert has its section in the runbook.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::manifest::documents;
use crate::{printed, promql, read, repository, with_section};

const DASHBOARD: &str = "helm/external-secrets/files/monitoring/grafana-dashboard.json";
const ALERTS: &str = "helm/external-secrets/files/monitoring/alerts.yaml";
const PAGE: &str = "docs/monitoring.md";
const RUNBOOK: &str = "docs/runbook.md";

/// The program's metrics from its documentation: name, type and labels.
fn metrics() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = printed(&["docs", "metrics"]);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let metrics: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let labels = cells[2].split(", ").map(|label| label.trim_matches('`').to_owned()).collect();
            (cells[0].trim_end_matches('`').to_owned(), (cells[1].to_owned(), labels))
        })
        .collect();
    assert!(metrics.len() > 30, "{metrics:#?}");
    metrics
}

/// Labels that Prometheus adds to every series.
const ADDED: [&str; 6] = ["job", "instance", "pod", "service", "container", "le"];

/// Panics if a query uses something that the program does not have.
fn check(place: &str, query: &str, metrics: &BTreeMap<String, (String, BTreeSet<String>)>) {
    let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
    let asked = promql::asked(&query).unwrap_or_else(|problem| panic!("{place}: {query}: {problem}"));
    for (name, labels) in asked.metrics {
        let family = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            metrics.get(family).filter(|(kind, _)| kind == "histogram")
        });
        let Some((kind, known)) = family.or_else(|| metrics.get(&name)) else {
            // Prometheus's own metric.
            assert!(name == "up", "{place}: the program has no metric {name}");
            continue;
        };
        assert!(family.is_some() || kind != "histogram", "{place}: {name} is a histogram and has no value of its own");
        for label in labels {
            assert!(known.contains(&label) || ADDED.contains(&label.as_str()), "{place}: {name} has no label {label}");
        }
    }
}

#[test]
fn the_dashboard_shows_metrics_that_the_program_has() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let metrics = metrics();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        panel["targets"].as_array().into_iter().flatten().map(move |target| (title.clone(), target))
    });
    let queries: Vec<_> = targets.map(|(title, target)| (title, target["expr"].as_str().unwrap().to_owned())).collect();
    assert!(queries.len() > 20);
    for (title, query) in queries {
        check(&title, &query, &metrics);
    }
}

/// The alerts of the chart: name and rule, as the chart's file has them.
fn alerts() -> Vec<(String, Value)> {
    let documents = documents(&read(ALERTS)).unwrap();
    let [alerts] = documents.as_slice() else { panic!("{ALERTS} holds one object") };
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|group| {
        assert!(group["name"].is_string(), "a group has a name: {group}");
        group["rules"].as_array().unwrap().clone()
    });
    rules.map(|rule| (rule["alert"].as_str().expect("a rule is an alert").to_owned(), rule)).collect()
}

#[test]
fn alerts_ask_for_metrics_that_the_program_has() {
    let metrics = metrics();
    for (name, rule) in alerts() {
        let query = rule["expr"].as_str().unwrap();
        assert_eq!(query.contains("$threshold"), rule["threshold"].is_number(), "{name}");
        check(&name, &query.replace("$threshold", &rule["threshold"].to_string()), &metrics);
    }
}

#[test]
fn alerts_have_what_prometheus_and_people_need() {
    const FIELDS: [&str; 7] = ["alert", "expr", "threshold", "for", "severity", "summary", "description"];
    let alerts = alerts();
    let names: BTreeSet<_> = alerts.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), alerts.len(), "a name is given twice");
    for (name, rule) in &alerts {
        for field in rule.as_object().unwrap().keys() {
            assert!(FIELDS.contains(&field.as_str()), "{name}: unknown field {field}");
        }
        let severity = rule["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: severity {severity:?}");
        let wait = rule["for"].as_str().unwrap();
        let (number, unit) = wait.split_at(wait.len() - 1);
        assert!(number.parse::<u32>().is_ok() && ["s", "m", "h"].contains(&unit), "{name}: for {wait}");
        for annotation in ["summary", "description"] {
            let text = rule[annotation].as_str().unwrap_or_else(|| panic!("{name} has no {annotation}"));
            assert_eq!(text.matches("{{").count(), text.matches("}}").count(), "{name}: {text}");
        }
    }
}

#[test]
fn the_page_of_monitoring_lists_the_alerts() {
    let mut table = String::from("| alert | severity | when |\n|---|---|---|\n");
    for (name, rule) in alerts() {
        let text = |field: &str| rule[field].as_str().unwrap().to_owned();
        let query = text("expr").replace("$threshold", &rule["threshold"].to_string()).replace('|', "\\|");
        let link = format!("[{name}](runbook.md#{})", name.to_lowercase());
        writeln!(table, "| {link} | {} | {}: `{query}` for {} |", text("severity"), text("summary"), text("for"))
            .unwrap();
    }
    let fresh = with_section(&read(PAGE), "alerts", &table);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository(PAGE), &fresh).unwrap();
        return;
    }
    assert!(read(PAGE) == fresh, "{PAGE} is not fresh: run `make generate` and commit the result");
}

#[test]
fn each_alert_has_its_part_of_the_runbook_and_each_part_its_alert() {
    let runbook = read(RUNBOOK);
    let parts: BTreeMap<_, _> = runbook
        .split("\n## ")
        .skip(1)
        .map(|part| part.split_once('\n').expect("a part has a title and a text"))
        .collect();
    let alerts = alerts();
    for (name, _) in &alerts {
        let part = parts.get(name.as_str()).unwrap_or_else(|| panic!("{RUNBOOK} has no part ## {name}"));
        for word in ["**Meaning.**", "**Impact.**", "**Check.**", "**Mitigation.**"] {
            assert!(part.contains(word), "{RUNBOOK}, {name}: no {word}");
        }
    }
    for part in parts.keys() {
        assert!(alerts.iter().any(|(name, _)| name == part), "{RUNBOOK}: no alert {part}");
    }
}

#[test]
fn a_query_of_a_metric_or_label_that_is_not_there_is_found() {
    let metrics = metrics();
    for (query, word) in [
        ("sum(rate(externalsecret_sync_calls[5m]))", "no metric"),
        ("external_secrets_gate_wait_seconds > 1", "a histogram"),
        ("sum(external_secrets_vault_paused{host=\"a\"})", "no label host"),
    ] {
        let found = std::panic::catch_unwind(|| check("a test", query, &metrics)).unwrap_err();
        let found = found.downcast_ref::<String>().unwrap();
        assert!(found.contains(word), "{found}");
    }
}
