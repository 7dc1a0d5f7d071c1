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

/// ExternalSecrets as a table.
pub(super) fn external_secrets(overviews: &[Overview], all_namespaces: bool, now: Timestamp) -> String {
    if overviews.is_empty() {
        return String::new();
    }
    let headings = ["NAMESPACE", "NAME", "STORE", "READY", "SYNCED", "NEXT", "SAYS"];
    let skipped = usize::from(!all_namespaces);
    let mut table = Table::new(headings.get(skipped..).unwrap_or_default(), terminal_width());
    for overview in overviews {
        table.row(cells(overview, now).into_iter().skip(skipped));
    }
    table.text()
}

fn cells(overview: &Overview, now: Timestamp) -> [String; 7] {
    [
        overview.key.namespace.clone(),
        overview.key.name.clone(),
        overview.store(),
        overview.ready_word().to_owned(),
        overview.synced(now),
        overview.next.in_words(now),
        overview.says(),
    ]
}

/// One ExternalSecret as a line.
pub(super) fn line(overview: &Overview, now: Timestamp) -> String {
    let [namespace, name, store, ready, synced, next, says] = cells(overview, now);
    let ready = if ready.is_empty() { "not looked at yet".to_owned() } else { format!("Ready={ready}") };
    let line = format!("{namespace}/{name}  {store}  {ready}  synced {synced}  next {next}  {says}");
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

/// Stores as a table.
pub(super) fn stores(stores: &[(StoreKey, SecretStore)], now: Timestamp) -> String {
    let mut table = Table::new(&["NAMESPACE", "STORE", "READY", "SINCE", "SAYS"], terminal_width());
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
