//! docs/security.md lists the attacks in `tests/integration/tenants`, the chart's rights and the budgets as they are.

use std::fmt::Write as _;

use external_secrets::template::{Allowance, Engine, Limits};
use serde::Deserialize;

use crate::{read, repository, with_section};

const DOCUMENT: &str = "docs/security.md";

#[derive(Deserialize)]
struct Group {
    group: String,
    attacks: Vec<Attack>,
}

/// What the document shows from a row.
#[derive(Deserialize)]
struct Attack {
    name: String,
    #[serde(rename = "attack")]
    what: String,
    refused: String,
    advisory: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

fn attacks() -> Vec<Group> {
    serde_saphyr::from_str(&read("tests/integration/tenants/attacks.yaml")).unwrap()
}

fn table_of_attacks() -> String {
    let mut table = String::from("| attack | what comes of it | advisory |\n|---|---|---|\n");
    for group in attacks() {
        writeln!(table, "| **{}** | | |", group.group).unwrap();
        for Attack { what: attack, refused, advisory, .. } in group.attacks {
            writeln!(table, "| {attack} | {refused} | {} |", advisory.unwrap_or_default()).unwrap();
        }
    }
    table
}

#[derive(Deserialize)]
struct Flood {
    name: String,
    attack: String,
    refused: String,
}

fn floods() -> Vec<Flood> {
    serde_saphyr::from_str(&read("tests/stage/src/neighbors/floods.yaml")).unwrap()
}

fn table_of_floods() -> String {
    let mut table = String::from("| attack | why the neighbors do not notice |\n|---|---|\n");
    for Flood { attack, refused, .. } in floods() {
        writeln!(table, "| {attack} | {refused} |").unwrap();
    }
    table
}

fn table_of_rights() -> String {
    let rules: Vec<Rule> = serde_saphyr::from_str(&read("helm/external-secrets/files/rules.yaml")).unwrap();
    let mut table = String::from("| group | resources | verbs |\n|---|---|---|\n");
    for Rule { api_groups, resources, verbs } in rules {
        let groups = api_groups.join(", ");
        let group = if groups.is_empty() { "core" } else { &groups };
        writeln!(table, "| {group} | {} | {} |", resources.join(", "), verbs.join(", ")).unwrap();
    }
    table
}

/// The budgets: what they limit, the number, and what counts towards it.
fn budgets() -> Vec<(&'static str, String, &'static str)> {
    let one = Limits::default();
    let mib = |bytes: usize| {
        assert_eq!(bytes % (1 << 20), 0);
        format!("{} MiB", bytes >> 20)
    };
    vec![
        (
            "steps of a template",
            one.steps.to_string(),
            "each action, argument and element; each 128 bytes that a function reads or makes; costly functions by their cost: \
             bcrypt 8000, a key of RSA with 2048 bits 40000, with 4096 bits 150000, `derivePassword` 100000",
        ),
        (
            "memory of a template",
            mib(one.memory),
            "the texts, lists and maps that it holds at one time, and what a function needs to make them",
        ),
        ("output of a template", mib(one.output), "a Secret holds 1 MiB"),
        (
            "nesting of a template",
            one.depth.to_string(),
            "templates, actions, parentheses, and values that are printed",
        ),
        (
            "parts of a template",
            Engine::MAX_PARTS.to_string(),
            "texts, actions, and the operands in them, whether they are rendered or not",
        ),
        (
            "steps of all templates of an object",
            Allowance::STEPS.to_string(),
            "as of one, and one for each 8 bytes of YAML that they make; before that one for each part and for each 64 bytes of the template",
        ),
        ("output of all templates of an object", mib(Allowance::OUTPUT), ""),
        (
            "time of the processor for all templates of an object",
            format!("{} s", Allowance::CPU_TIME.as_secs()),
            "looked at every 1000 steps; a call that has begun ends first, which takes a second or two at the most",
        ),
        (
            "nodes of the YAML that templates of an object make",
            Allowance::DOCUMENT_NODES.to_string(),
            "with aliases replaced; `fromYaml` has as many a call",
        ),
        (
            "memory of the YAML that templates of an object make",
            mib(Allowance::DOCUMENT_BYTES),
            "with aliases replaced",
        ),
    ]
}

fn table_of_budgets() -> String {
    let mut table = String::from("| budget | number | what goes into it |\n|---|---|---|\n");
    for (name, number, of) in budgets() {
        writeln!(table, "| {name} | {number} | {of} |").unwrap();
    }
    table
}

#[test]
fn the_security_model_shows_the_attacks_that_are_tried_the_rights_of_the_chart_and_the_budgets() {
    let document = read(DOCUMENT);
    let fresh = with_section(&document, "attacks", &table_of_attacks());
    let fresh = with_section(&fresh, "floods", &table_of_floods());
    let fresh = with_section(&fresh, "rights", &table_of_rights());
    let fresh = with_section(&fresh, "budgets", &table_of_budgets());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository(DOCUMENT), &fresh).unwrap();
        return;
    }
    assert!(document == fresh, "{DOCUMENT} is not fresh: run `make generate` and commit the result");
}

#[test]
fn each_attack_has_its_own_name_and_words_for_the_table() {
    let all: Vec<_> = attacks().into_iter().flat_map(|group| group.attacks).collect();
    assert!(all.len() > 50);
    let mut names: Vec<_> = all.iter().map(|attack| attack.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    for Attack { name, what: attack, refused, .. } in &all {
        assert!(!attack.contains(['|', '\n']) && !refused.contains(['|', '\n']), "{name}");
    }
    for Flood { name, attack, refused } in floods() {
        assert!(!attack.contains(['|', '\n']) && !refused.contains(['|', '\n']), "{name}");
    }
}
