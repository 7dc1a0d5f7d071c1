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

/// For people in a hurry: the counts of each group, and a line for each check that did not pass.
pub(super) fn short(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut rest = findings;
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|finding| finding.group == first.group).count();
        let (group, others) = rest.split_at(length);
        rest = others;
        let _ = writeln!(text, "{:<15}  {}", first.group, in_words(counts(group)));
        for finding in group.iter().filter(|finding| finding.outcome != Outcome::Ok) {
            let _ = writeln!(text, "  {:<4}  {}", finding.outcome.mark(), on_one_line(&finding.message));
        }
    }
    let _ = writeln!(text, "{:<15}  {}", "all", in_words(counts(findings)));
    text
}

/// The counts that are not zero, the worst first.
fn in_words([ok, warning, failed, skipped]: [usize; 4]) -> String {
    let warnings = if warning == 1 { "warning" } else { "warnings" };
    let counts = [(failed, "failed"), (warning, warnings), (skipped, "skipped"), (ok, "ok")];
    let counts: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).map(|(n, word)| format!("{n} {word}")).collect();
    counts.join(", ")
}

fn counts(findings: &[Finding]) -> [usize; 4] {
    [Outcome::Ok, Outcome::Warning, Outcome::Failed, Outcome::Skipped].map(|outcome| {
        findings.iter().filter(|finding| finding.outcome == outcome).map(|finding| finding.stands_for).sum()
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Check;

    #[test]
    fn the_short_form_has_a_line_for_each_group_and_for_what_did_not_pass() {
        const CRDS: Check = Check::new("crds", "crds-there");
        const STORES: Check = Check::new("stores", "store-ready");
        let findings = [
            CRDS.ok("4 CRDs are there"),
            CRDS.ok("all serve v1"),
            STORES.ok("1 store is Ready"),
            STORES.failed("css/azure is\nnot Ready", "Fix it.", "docs/install.md"),
            STORES.warning("another", "", ""),
        ];
        let expected = "\
crds             2 ok
stores           1 failed, 1 warning, 1 ok
  FAIL  css/azure is not Ready
  warn  another
all              1 failed, 1 warning, 3 ok
";
        assert_eq!(short(&findings), expected);
    }
}
