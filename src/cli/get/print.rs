//! The output of `get`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::v1::condition::READY;
use crate::api::v1::{ConditionStatus, SecretStore};
use crate::cli::person::names;
use crate::cli::person::overview::Overview;
use crate::cli::person::printing::{ago, terminal_width};
use crate::cli::person::table::Table;
use crate::controller::core::conditions;
use crate::controller::store_access::key::StoreKey;
use crate::sync::one_line::on_one_line;

/// How ExternalSecrets and stores are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// A table that fits the terminal.
    Table,
    /// A table with more columns.
    Wide,
    /// Kind and name alone.
    Names,
}

/// ExternalSecrets for people.
pub(super) fn external_secrets(overviews: &[Overview], list: List, all_namespaces: bool, now: Timestamp) -> String {
    if overviews.is_empty() {
        return String::new();
    }
    if list == List::Names {
        let names: Vec<_> = overviews.iter().map(|overview| format!("externalsecret/{}", overview.key.name)).collect();
        return names.join("\n") + "\n";
    }
    let is_wide = list == List::Wide;
    let is_shown = |column: &&Column| {
        (all_namespaces || column.heading != NAMESPACE) && (is_wide || !ONLY_WIDE.contains(&column.heading))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(is_shown).collect();
    let headings: Vec<_> = columns.iter().map(|column| column.heading).collect();
    let mut table = Table::new(&headings, if is_wide { None } else { terminal_width() });
    for overview in overviews {
        table.row(columns.iter().map(|column| (column.cell)(overview, now)));
    }
    table.text()
}

/// A column of the table.
struct Column {
    heading: &'static str,
    cell: fn(&Overview, Timestamp) -> String,
}

const NAMESPACE: &str = "NAMESPACE";
/// What is shown by `-o wide` alone.
const ONLY_WIDE: [&str; 3] = ["TARGET", "SINCE", "CAUSE"];

const COLUMNS: [Column; 10] = [
    Column { heading: NAMESPACE, cell: |overview, _| overview.key.namespace.clone() },
    Column { heading: "NAME", cell: |overview, _| overview.key.name.clone() },
    Column { heading: "STORE", cell: |overview, _| overview.store() },
    Column { heading: "TARGET", cell: |overview, _| overview.target.clone() },
    Column { heading: "READY", cell: |overview, _| overview.ready_word().to_owned() },
    Column { heading: "SINCE", cell: |overview, now| overview.since.map(|since| ago(since, now)).unwrap_or_default() },
    Column { heading: "SYNCED", cell: Overview::synced },
    Column { heading: "NEXT", cell: |overview, now| overview.next.in_words(now) },
    Column { heading: "CAUSE", cell: |overview, _| overview.cause.clone().unwrap_or_default() },
    Column { heading: "SAYS", cell: |overview, _| overview.says() },
];

/// One ExternalSecret as a line.
pub(super) fn line(overview: &Overview, now: Timestamp) -> String {
    let ready = match overview.ready_word() {
        "" => "not processed yet".to_owned(),
        ready => format!("Ready={ready}"),
    };
    let line = format!(
        "{}/{}  {}  {ready}  synced {}  next {}  {}",
        overview.key.namespace,
        overview.key.name,
        overview.store(),
        overview.synced(now),
        overview.next.in_words(now),
        overview.says(),
    );
    format!("{}\n", on_one_line(line.trim_end()))
}

/// ExternalSecrets for programs to read.
pub(super) fn external_secrets_document(overviews: &[Overview]) -> Value {
    let count = |wanted: fn(&&Overview) -> bool| overviews.iter().filter(wanted).count();
    json!({
        "version": 1,
        "externalSecrets": overviews.iter().map(Overview::document).collect::<Vec<_>>(),
        "summary": {
            "all": overviews.len(),
            "ready": count(|overview| overview.ready == Some(ConditionStatus::True)),
            "notReady": count(|overview| overview.ready != Some(ConditionStatus::True)),
            "stale": count(|overview| overview.is_stale),
        },
    })
}

/// What is printed of a store.
struct Said {
    ready: &'static str,
    since: Option<Timestamp>,
    message: String,
}

fn said(store: &SecretStore) -> Said {
    let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = conditions::find(conditions, READY) else {
        return Said { ready: "", since: None, message: "it was never validated".to_owned() };
    };
    let word = match ready.status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    };
    let message = ready.message.as_deref().map(on_one_line).unwrap_or_default();
    Said { ready: word, since: ready.last_transition_time.as_ref().map(|time| time.0), message }
}

/// Stores for people.
pub(super) fn stores(stores: &[(StoreKey, SecretStore)], list: List, now: Timestamp) -> String {
    if list == List::Names {
        let name =
            |(key, _): &(StoreKey, SecretStore)| format!("{}/{}", key.kind.name().to_lowercase(), key.object.name);
        return stores.iter().map(name).collect::<Vec<_>>().join("\n") + "\n";
    }
    let width = if list == List::Wide { None } else { terminal_width() };
    let mut table = Table::new(&["NAMESPACE", "STORE", "READY", "SINCE", "SAYS"], width);
    for (key, store) in stores {
        let said = said(store);
        let since = said.since.map(|since| ago(since, now)).unwrap_or_default();
        let cells = [key.object.namespace.clone(), names::short(key), said.ready.to_owned(), since, said.message];
        table.row(cells);
    }
    table.text()
}

/// Stores for programs to read.
pub(super) fn stores_document(stores: &[(StoreKey, SecretStore)]) -> Value {
    let stores = stores.iter().map(|(key, store)| {
        let said = said(store);
        json!({
            "kind": key.kind.name(),
            "namespace": Some(&key.object.namespace).filter(|namespace| !namespace.is_empty()),
            "name": key.object.name,
            "ready": Some(said.ready).filter(|word| !word.is_empty()),
            "since": said.since.map(|since| since.to_string()),
            "message": said.message,
        })
    });
    json!({"version": 1, "stores": stores.collect::<Vec<_>>()})
}
