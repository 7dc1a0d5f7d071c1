//! The output of `refresh`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::outcome::{Outcome, Result};
use crate::cli::person::table::Table;
use crate::sync::one_line::on_one_line;

/// The text for one result.
fn says(outcome: &Outcome) -> String {
    let took = outcome.took.map(|took| format!("{:.1} s", took.as_secs_f64())).unwrap_or_default();
    let message = on_one_line(&outcome.message);
    match (outcome.result, outcome.secret_changed) {
        (Result::Asked, _) => "a refresh was requested".to_owned(),
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
pub(super) fn line(name: &str, outcome: &Outcome) -> String {
    format!("{}  {}\n", on_one_line(name), says(outcome))
}

/// All results, for people to read.
pub(super) fn text(outcomes: &BTreeMap<String, Outcome>) -> String {
    if outcomes.is_empty() {
        return "nothing to refresh\n".to_owned();
    }
    let mut table = Table::new(&["NAME", "SAYS"], None);
    for (name, outcome) in outcomes {
        table.row([name.clone(), says(outcome)]);
    }
    let text = table.text();
    text.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default()
}

/// All results, for programs to read.
pub(super) fn document(outcomes: &BTreeMap<String, Outcome>) -> Value {
    let results = outcomes.iter().map(|(name, outcome)| {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        json!({
            "namespace": namespace,
            "name": name,
            "result": outcome.result.word(),
            "secretChanged": outcome.secret_changed,
            "seconds": outcome.took.map(|took| (took.as_secs_f64() * 1000.0).round() / 1000.0),
            "message": outcome.message,
        })
    });
    json!({"version": 1, "results": results.collect::<Vec<_>>()})
}
