//! The output of `get`.

use serde_json::{Map, Value, json};

use super::row::{Cell, Row};
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::cli::person::printing::{ListFormat, terminal_width};
use crate::cli::person::table::Table;
use crate::sync::one_line::on_one_line;

/// The objects of some kinds, each kind in a table of its own.
pub(super) fn text(kinds: &[(Kind, Vec<Row>)], format: ListFormat, all_namespaces: bool) -> String {
    if format == ListFormat::Name {
        let names = kinds.iter().flat_map(|(_, rows)| rows).map(|row| name(&row.named) + "\n");
        return names.collect();
    }
    // The two kinds of stores share a table.
    let (mut tables, mut stores) = (Vec::new(), Vec::new());
    for (kind, rows) in kinds {
        match kind {
            Kind::Store(_) => stores.extend(rows),
            _ => tables.push(rows.iter().collect()),
        }
    }
    tables.push(stores);
    let tables = tables.iter().filter(|rows| !rows.is_empty()).map(|rows| table(rows, format, all_namespaces));
    tables.collect::<Vec<_>>().join("\n")
}

/// As kubectl takes it.
fn name(named: &Named) -> String {
    on_one_line(&format!("{}/{}", named.kind.name().to_lowercase(), named.key.name))
}

/// A table of objects of one kind.
fn table(rows: &[&Row], format: ListFormat, all_namespaces: bool) -> String {
    let is_wide = format == ListFormat::Wide;
    let Some(first) = rows.first() else { return String::new() };
    let is_store = matches!(first.named.kind, Kind::Store(_));
    let has_namespace = is_store || (all_namespaces && !first.named.kind.is_of_cluster());
    let is_shown = |cell: &&Cell| is_wide || !cell.column.is_wide;
    let mut headings: Vec<_> = has_namespace.then_some("NAMESPACE").into_iter().collect();
    headings.push(if is_store { "STORE" } else { "NAME" });
    headings.extend(first.cells.iter().filter(is_shown).map(|cell| cell.column.heading));
    let mut table = Table::new(&headings, if is_wide { None } else { terminal_width() });
    for row in rows {
        let Named { kind, key } = &row.named;
        let name = if is_store { format!("{}/{}", kind.short(), key.name) } else { key.name.clone() };
        let begin = has_namespace.then(|| key.namespace.clone()).into_iter().chain([name]);
        table.row(begin.chain(row.cells.iter().filter(is_shown).map(|cell| cell.text.clone())));
    }
    table.text()
}

/// One object as a line.
pub(super) fn line(row: &Row, format: ListFormat) -> String {
    if format == ListFormat::Name {
        return name(&row.named) + "\n";
    }
    let cells = row.cells.iter().filter(|cell| !cell.text.is_empty());
    let cells = cells.filter(|cell| !cell.column.is_wide || format == ListFormat::Wide);
    let words = cells.map(|cell| format!("{}{}", cell.column.before, cell.text));
    let words: Vec<_> = std::iter::once(row.named.label()).chain(words).collect();
    on_one_line(&words.join("  ")) + "\n"
}

/// The name of an object of a kind, and of a list of them, in a document.
const fn in_document(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::ExternalSecret => ("externalSecret", "externalSecrets"),
        Kind::ClusterExternalSecret => ("clusterExternalSecret", "clusterExternalSecrets"),
        Kind::PushSecret => ("pushSecret", "pushSecrets"),
        Kind::ClusterPushSecret => ("clusterPushSecret", "clusterPushSecrets"),
        Kind::Store(_) => ("store", "stores"),
    }
}

/// The objects of some kinds, for programs to read.
pub(super) fn document(kinds: &[(Kind, Vec<Row>)]) -> Value {
    let mut document = Map::from_iter([("version".to_owned(), json!(1))]);
    for (kind, rows) in kinds {
        let (_, list) = in_document(*kind);
        let list = document.entry(list).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.extend(rows.iter().map(|row| row.document.clone()));
        }
    }
    let rows = || kinds.iter().flat_map(|(_, rows)| rows);
    let count = |wanted: fn(&&Row) -> bool| rows().filter(wanted).count();
    let summary = json!({
        "all": rows().count(),
        "ready": count(|row| row.is_ready),
        "notReady": count(|row| !row.is_ready),
        "stale": count(|row| row.is_stale),
    });
    document.insert("summary".to_owned(), summary);
    Value::Object(document)
}

/// An object that has changed, for programs to read.
pub(super) fn changed(row: &Row) -> Value {
    json!({"version": 1, in_document(row.named.kind).0: row.document})
}

/// An object that was deleted, for programs to read.
pub(super) fn deleted(named: &Named) -> Value {
    let namespace = Some(&named.key.namespace).filter(|namespace| !namespace.is_empty());
    json!({"version": 1, "deleted": {"kind": named.kind.name(), "namespace": namespace, "name": named.key.name}})
}
