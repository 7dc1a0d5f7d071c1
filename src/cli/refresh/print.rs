//! The output of `refresh`.

use serde_json::{Value, json};

use super::outcome::{Outcome, Outcomes, Result};
use crate::cli::person::names::Named;
use crate::cli::person::table::Table;
use crate::sync::one_line::on_one_line;

/// The text for one result.
fn says(outcome: &Outcome) -> String {
    let took = outcome.took.map(|took| format!("{:.1} s", took.as_secs_f64())).unwrap_or_default();
    let message = on_one_line(&outcome.message);
    match (outcome.result, outcome.secret_changed) {
        (Result::Asked, _) if message.is_empty() => "a refresh was requested".to_owned(),
        (Result::Asked, _) => format!("a refresh was requested: {message}"),
        (Result::Refreshed, Some(true)) => format!("refreshed in {took}, the Secret changed"),
        (Result::Refreshed, Some(false)) => format!("refreshed in {took}, the Secret is unchanged"),
        (Result::Refreshed, None) => format!("refreshed in {took}"),
        (Result::Failed, _) if took.is_empty() => format!("failed: {message}"),
        (Result::Failed, _) => format!("failed after {took}: {message}"),
        (Result::Timeout, _) => format!("not yet: {message}"),
        (Result::Skipped, _) => format!("skipped: {message}"),
    }
}

/// One result as a line.
pub(super) fn line(named: &Named, outcome: &Outcome) -> String {
    format!("{}  {}\n", on_one_line(&named.label()), says(outcome))
}

/// All results, for people to read.
pub(super) fn text(outcomes: &Outcomes) -> String {
    if outcomes.is_empty() {
        return "nothing to refresh\n".to_owned();
    }
    let mut table = Table::new(&["NAME", "SAYS"], None);
    for (named, outcome) in outcomes {
        table.row([named.label(), says(outcome)]);
    }
    let text = table.text();
    text.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default()
}

/// All results, for programs to read.
pub(super) fn document(outcomes: &Outcomes) -> Value {
    let results = outcomes.iter().map(|(named, outcome)| {
        json!({
            "kind": named.kind.name(),
            "namespace": Some(&named.key.namespace).filter(|namespace| !namespace.is_empty()),
            "name": named.key.name,
            "result": outcome.result.word(),
            "secretChanged": outcome.secret_changed,
            "seconds": outcome.took.map(|took| (took.as_secs_f64() * 1000.0).round() / 1000.0),
            "message": outcome.message,
        })
    });
    json!({"version": 1, "results": results.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::person::kind::Kind;

    #[test]
    fn a_document_tells_kinds_apart_that_have_the_same_name() {
        let outcomes = Outcomes::from([
            (Named::new(Kind::ExternalSecret, "shop", "db"), Outcome::asked()),
            (Named::new(Kind::ClusterPushSecret, "", "db"), Outcome::failed("x")),
        ]);
        let results = &document(&outcomes)["results"];
        assert_eq!((&results[0]["kind"], &results[0]["namespace"]), (&json!("ExternalSecret"), &json!("shop")));
        assert_eq!((&results[1]["kind"], &results[1]["namespace"]), (&json!("ClusterPushSecret"), &Value::Null));
    }
}
