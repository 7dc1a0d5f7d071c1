//! The Helm chart agrees with the rest of the repository.

use std::collections::BTreeSet;

use crate::{files, read};

const CHART: &str = "helm/external-secrets";

/// Metrics of the dashboard that the program does not have yet, by ESO's names.
const PROMISED: [&str; 4] = [
    "controller_runtime_active_workers",
    "controller_runtime_webhook_latency_seconds_bucket",
    "controller_runtime_webhook_requests_total",
    "workqueue_depth",
];

#[test]
fn the_chart_has_the_definitions_of_crds() {
    let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
    let ours: Vec<_> = files("crds", &["yaml"]).iter().map(name).collect();
    let copies: Vec<_> = files(&format!("{CHART}/files/crds"), &["yaml"]).iter().map(name).collect();
    assert_eq!(copies, ours, "run `make generate` and commit the result");
    for name in ours {
        let same = read(&format!("crds/{name}")) == read(&format!("{CHART}/files/crds/{name}"));
        assert!(same, "{CHART}/files/crds/{name} is not crds/{name}: run `make generate` and commit the result");
    }
}

#[test]
fn each_definition_has_a_template() {
    let templates: String =
        files(&format!("{CHART}/templates/crds"), &["yaml"]).iter().map(|file| read(file)).collect();
    for file in files("crds", &["yaml"]) {
        let name = file.rsplit('/').next().unwrap();
        assert!(
            templates.contains(&format!("\"{name}\"")),
            "{CHART}/templates/crds has no template that renders {name}"
        );
    }
}

#[test]
fn the_dashboard_shows_metrics_that_the_program_has() {
    let sources: String = files("src", &["rs"]).iter().map(|file| read(file)).collect();
    let shown = shown_metrics();
    assert!(shown.len() > 10, "{shown:?}");
    for metric in &shown {
        let family = metric.trim_end_matches("_bucket");
        // The metrics of the two kinds of stores are made of a prefix and a common rest.
        let store = ["clustersecretstore", "secretstore"].into_iter().find_map(|kind| family.strip_prefix(kind));
        let exists = sources.contains(&format!("\"{family}\""))
            || store.is_some_and(|rest| sources.contains(&format!("\"{{subsystem}}{rest}\"")));
        assert!(exists || PROMISED.contains(&metric.as_str()), "the program has no metric {metric}");
    }
    for promised in PROMISED {
        assert!(shown.contains(promised), "the dashboard does not show {promised}: remove it from the list");
    }
}

/// The names in the dashboard's queries that are no functions, labels or variables.
fn shown_metrics() -> BTreeSet<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read(&format!("{CHART}/files/monitoring/grafana-dashboard.json"))).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = targets.map(|target| target["expr"].as_str().unwrap()).collect::<Vec<_>>().join(" ") + " ";
    let mut names = BTreeSet::new();
    let mut word = String::new();
    for character in queries.chars() {
        if character.is_ascii_alphanumeric() || character == '_' || character == '$' {
            word.push(character);
            continue;
        }
        if word.contains('_') && !word.starts_with('$') && word != "histogram_quantile" {
            names.insert(std::mem::take(&mut word));
        }
        word.clear();
    }
    names
}
