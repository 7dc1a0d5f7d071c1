//! `docs/metrics.md`

use super::markdown::{code, head, table};
use crate::runtime::metrics::{Description, ExtendedLabels, Metrics, ObjectOptions};
use crate::runtime::webhook_metrics::WebhookMetrics;

const INTRODUCTION: &str = "\
Served at `/metrics` on `--metrics-addr` by all three processes; each shows what it counts. Over TLS with `--metrics-secure`; with `--metrics-auth` only
to callers that may `get` the nonResourceURL `/metrics`.

A histogram NAME has the series `NAME_bucket`, `NAME_sum` and `NAME_count`. With `--enable-extended-metric-labels` metrics with the labels `name` and
`namespace` also have those of the object's labels `app.kubernetes.io/name`, `instance`, `version`, `component`, `part-of` and `managed-by`, with `_` for
every other character. At most `--metrics-max-objects` ExternalSecrets have metrics of their own, in namespaces with few of them first; totals count
all.

";

/// The sections: the prefixes of names, the title, and an introduction.
const SECTIONS: [(&[&str], &str, &str); 3] = [
    (
        &[
            "externalsecret_",
            "clusterexternalsecret_",
            "pushsecret_",
            "clusterpushsecret_",
            "secretstore_",
            "clustersecretstore_",
        ],
        "Those of ESO",
        "Under its names and labels, so that its dashboards and alerts go on working.",
    ),
    (
        &["controller_runtime_", "workqueue_", "rest_client_", "leader_election_"],
        "Those of controller-runtime and client-go",
        "As ESO has them from its libraries. `controller` is `externalsecret`, `clusterexternalsecret`, `pushsecret`, `clusterpushsecret`, `secretstore` or `clustersecretstore`.",
    ),
    (&["external_secrets_"], "Our own", "What ESO does not tell."),
];

pub(super) fn page() -> Result<String, prometheus::Error> {
    let metrics = Metrics::new(ObjectOptions { extended: ExtendedLabels::Hidden, ..ObjectOptions::default() })?;
    WebhookMetrics::new(&metrics)?;
    let described = metrics.registrar().described();
    let mut page = head("Metrics", "metrics") + INTRODUCTION;
    for (prefixes, title, word) in SECTIONS {
        let of_it = |metric: &&Description| prefixes.iter().any(|prefix| metric.name.starts_with(prefix));
        let rows = described.iter().filter(of_it).map(row);
        page.extend([format!("## {title}\n\n{word}\n\n")]);
        page.push_str(&table(["name", "type", "labels", "what it says"], rows));
    }
    Ok(page.trim_end().to_owned() + "\n")
}

fn row(metric: &Description) -> [String; 4] {
    let labels: Vec<_> = metric.labels.iter().map(|label| code(label)).collect();
    // Otherwise it would be read as HTML.
    let help = metric.help.replace('<', "\\<");
    [code(&metric.name), metric.kind.to_string(), labels.join(", "), help]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_one_section() {
        let metrics = Metrics::new(ObjectOptions::default()).unwrap();
        WebhookMetrics::new(&metrics).unwrap();
        let page = page().unwrap();
        for metric in metrics.registrar().described() {
            assert_eq!(page.matches(&format!("| `{}` |", metric.name)).count(), 1, "{}", metric.name);
        }
    }
}
