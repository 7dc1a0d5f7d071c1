//! `docs/values.md` agrees with the charts' `values.yaml` and `values.schema.json`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{read, repository};

const PAGE: &str = "docs/values.md";

/// The page leaves longer defaults to the file.
const LONGEST_DEFAULT: usize = 60;

const HEAD: &str = "# Values of the charts

Made from `values.yaml` and `values.schema.json` of the charts by `make generate`; not to be edited. The names and meanings are those of
ESO 2.9.0's chart: [what differs](compatibility.md#the-helm-chart). A values file is checked before anything is changed; a value of a wrong type is
refused.
";

/// The charts, and the parts of their values with a separate heading.
const CHARTS: [(&str, &[(&str, &str)]); 2] = [
    (
        "helm/external-secrets",
        &[
            ("", "The controller, and what belongs to all"),
            ("global", "For all three Deployments"),
            ("crds", "The custom resource definitions"),
            ("webhook", "The webhook"),
            ("certController", "The cert-controller"),
        ],
    ),
    ("helm/azure-cluster-secret-store", &[("", "The store")]),
];

/// A value in the file.
struct Entry {
    path: Vec<String>,
    description: String,
}

#[test]
fn the_page_of_values_says_what_the_charts_say() {
    let fresh = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository(PAGE), &fresh).unwrap();
    }
    assert!(read(PAGE) == fresh, "{PAGE} is not what the charts say: run `make generate` and commit the result");
}

#[test]
fn the_page_of_values_has_every_value() {
    let page = read(PAGE);
    for (chart, _) in CHARTS {
        let values: Value = serde_saphyr::from_str(&read(&format!("{chart}/values.yaml"))).unwrap();
        let mut rest = vec![(String::new(), &values)];
        while let Some((path, value)) = rest.pop() {
            match value.as_object().filter(|fields| !fields.is_empty()) {
                Some(fields) => rest.extend(fields.iter().map(|(name, value)| {
                    (if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value)
                })),
                None => assert!(page.contains(&format!("| `{path}` |")), "{chart}: {path}"),
            }
        }
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (chart, parts) in CHARTS {
        let values: Value = serde_saphyr::from_str(&read(&format!("{chart}/values.yaml"))).unwrap();
        let schema: Value = serde_json::from_str(&read(&format!("{chart}/values.schema.json"))).unwrap();
        let entries = entries(&read(&format!("{chart}/values.yaml")));
        write!(page, "\n## {chart}\n").unwrap();
        for (part, title) in parts {
            write!(page, "\n### {title}\n\n| value | type | default | |\n|---|---|---|---|\n").unwrap();
            let others: Vec<_> = parts.iter().map(|(other, _)| *other).filter(|other| !other.is_empty()).collect();
            let belongs = |entry: &&Entry| {
                let first = entry.path[0].as_str();
                first == *part || (part.is_empty() && !others.contains(&first))
            };
            for entry in entries.iter().filter(belongs) {
                page.push_str(&row(entry, &values, &schema));
            }
        }
    }
    page
}

/// The values in the file's order, each with the comment above it. A value with parts appears only if it has a comment.
fn entries(text: &str) -> Vec<Entry> {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<String> = Vec::new();
    let mut entries = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(words) = trimmed.strip_prefix('#') {
            comment.push(words.strip_prefix(' ').unwrap_or(words).to_owned());
            continue;
        }
        let key = trimmed.split_once(':').map(|(key, _)| key);
        let Some(key) = key.filter(|key| !key.starts_with("- ") && !key.contains(' ')) else {
            comment.clear();
            continue;
        };
        path.retain(|(depth, _)| *depth < indent);
        // The parts of a list item are not values.
        path.push((indent, key.to_owned()));
        let description = described(&std::mem::take(&mut comment));
        entries.push(Entry { path: path.iter().map(|(_, key)| key.clone()).collect(), description });
    }
    entries
}

/// A comment as one line; indented lines are an example.
fn described(comment: &[String]) -> String {
    let (example, prose): (Vec<_>, Vec<_>) = comment.iter().partition(|line| line.starts_with("  "));
    let mut text = prose.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    for line in example {
        write!(text, "<br>`{}`", line.strip_prefix("  ").unwrap_or(line)).unwrap();
    }
    text
}

/// A row of the table; empty for a value that only groups its parts.
fn row(entry: &Entry, values: &Value, schema: &Value) -> String {
    let name = entry.path.join(".");
    let value = entry.path.iter().try_fold(values, |value, key| value.get(key));
    // Within a list.
    let Some(value) = value else { return String::new() };
    let has_parts = value.as_object().is_some_and(|fields| !fields.is_empty());
    if has_parts {
        let title = &entry.description;
        return if title.is_empty() { String::new() } else { format!("| `{name}` | | | {title} |\n") };
    }
    let default = match serde_json::to_string(value).unwrap() {
        _ if value.is_null() => String::new(),
        long if long.len() > LONGEST_DEFAULT => "see the file".to_owned(),
        text => format!("`{text}`"),
    };
    format!("| `{name}` | {} | {default} | {} |\n", kind(&entry.path, value, schema), entry.description)
}

/// The type from the schema, or else the type of the default.
fn kind(path: &[String], value: &Value, schema: &Value) -> String {
    let mut nodes = vec![schema];
    for key in path {
        nodes = nodes.into_iter().flat_map(|node| alternatives(node, schema)).collect();
        nodes = nodes.into_iter().filter_map(|node| node["properties"].get(key)).collect();
    }
    let nodes: Vec<_> = nodes.into_iter().flat_map(|node| alternatives(node, schema)).collect();
    if let Some(choices) = nodes.iter().find_map(|node| node["enum"].as_array()) {
        let named: Vec<_> = choices.iter().filter(|choice| **choice != "").collect();
        let named = named.iter().map(|choice| format!("`{}`", choice.to_string().trim_matches('"')));
        return named.collect::<Vec<_>>().join(", ");
    }
    let kinds = nodes.iter().find_map(|node| match &node["type"] {
        Value::String(kind) => Some(kind.clone()),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
            Some(kinds.join(" or "))
        }
        _ => None,
    });
    kinds.unwrap_or_else(|| {
        let kind = match value {
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Null => "",
        };
        kind.to_owned()
    })
}

/// A schema node, with everything it refers to.
fn alternatives<'a>(node: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![node];
    let mut at = 0;
    while at < found.len() {
        let node = found[at];
        if let Some(reference) = node["$ref"].as_str() {
            found.extend(schema.pointer(reference.trim_start_matches('#')));
        }
        for list in ["allOf", "anyOf", "oneOf"] {
            found.extend(node[list].as_array().into_iter().flatten());
        }
        at += 1;
    }
    found
}
