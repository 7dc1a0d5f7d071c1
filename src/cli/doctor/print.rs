//! The output of `doctor`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::Finding;
use crate::cli::person::outcome::Outcome;
use crate::cli::person::printing::page;
use crate::sync::one_line::on_one_line;

/// Indents remedies to the column of the messages.
const INDENT: &str = "                       ";

/// For people: one line per check, in groups, with the remedy below a failed check.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut group = "";
    for finding in findings {
        let mark = finding.outcome.mark();
        let shown = if finding.group == group { "" } else { finding.group };
        group = finding.group;
        let _ = writeln!(text, "{shown:<15}  {mark:<4}  {}", on_one_line(&finding.message));
        if let Some(remedy) = finding.remedy.as_ref().filter(|_| finding.outcome != Outcome::Ok) {
            let see = finding.see.map(|see| format!(" See {}.", page(see))).unwrap_or_default();
            let _ = writeln!(text, "{INDENT}do: {}{see}", on_one_line(remedy));
        }
    }
    let [ok, warning, failed, skipped] = counts(findings);
    let warnings = if warning == 1 { "warning" } else { "warnings" };
    let _ = writeln!(text, "{failed} failed, {warning} {warnings}, {skipped} skipped, {ok} ok");
    text
}

fn counts(findings: &[Finding]) -> [usize; 4] {
    [Outcome::Ok, Outcome::Warning, Outcome::Failed, Outcome::Skipped]
        .map(|outcome| findings.iter().filter(|finding| finding.outcome == outcome).count())
}

/// For programs.
pub(super) fn document(findings: &[Finding]) -> Value {
    let [ok, warning, failed, skipped] = counts(findings);
    let checks = findings.iter().map(|finding| {
        json!({
            "id": finding.id,
            "result": finding.outcome.word(),
            "about": finding.about.as_ref().map(|about| json!({
                "kind": about.kind,
                "namespace": Some(&about.namespace).filter(|namespace| !namespace.is_empty()),
                "name": about.name,
            })),
            "message": on_one_line(&finding.message),
            "remedy": finding.remedy,
            "see": finding.see.map(page),
        })
    });
    json!({
        "version": 1,
        "healthy": failed == 0,
        "checks": checks.collect::<Vec<_>>(),
        "summary": {"ok": ok, "warning": warning, "failed": failed, "skipped": skipped},
    })
}
