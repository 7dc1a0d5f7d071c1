//! The values tried in running Pods (tests/node/values.rs) cover the whole chart.

use serde_json::Value;

use crate::{read, repository};

/// Prefixes of values that no Pod shows, or that only work one way.
const NOT_TRIED: &[&str] = &[
    // Kinds of the Prometheus Operator, and one of cert-manager; the chart's tests render them.
    "prometheusRule.",
    "serviceMonitor.",
    "webhook.certManager.",
    // Any other value is refused.
    "bitwarden-sdk-server.enabled",
    // Without it there is no webhook either.
    "webhook.service.enabled",
    // The kubelet accepts no other value for these probes.
    "livenessProbe.spec.successThreshold",
    "webhook.livenessProbe.successThreshold",
    "certController.livenessProbe.successThreshold",
];

/// The leaf values of a tree, by path.
fn leaves<'a>(path: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match value.as_object().filter(|fields| !fields.is_empty()) {
        Some(fields) => {
            for (name, value) in fields {
                leaves(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, found);
            }
        }
        None => found.push((path.to_owned(), value)),
    }
}

/// What is at a path.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, name| &value[name])
}

#[test]
fn every_value_of_the_chart_is_tried_on_a_node() {
    let files: Vec<Value> = std::fs::read_dir(repository("tests/node/values"))
        .unwrap()
        .map(|entry| serde_saphyr::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    let defaults: Value = serde_saphyr::from_str(&read("helm/external-secrets/values.yaml")).unwrap();
    let mut all = Vec::new();
    leaves("", &defaults, &mut all);
    let is_tried = |path: &str, default: &Value| {
        files.iter().map(|file| at(file, path)).any(|value| !value.is_null() && value != default)
    };
    let not_tried: Vec<_> =
        all.iter().filter(|(path, default)| !is_tried(path, default)).map(|(path, _)| path.as_str()).collect();
    let is_excused = |path: &str| NOT_TRIED.iter().any(|prefix| path.starts_with(prefix));
    let forgotten: Vec<_> = not_tried.iter().filter(|path| !is_excused(path)).collect();
    assert!(forgotten.is_empty(), "no file in tests/node/values has another value than the default of {forgotten:#?}");
    for prefix in NOT_TRIED {
        assert!(not_tried.iter().any(|path| path.starts_with(prefix)), "{prefix} needs no excuse");
    }
}
