//! PushSecrets and ClusterPushSecrets: what is read of them, and how they are printed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::print::List;
use crate::cli::person::overview::ready_word;
use crate::cli::person::printing::{ago, terminal_width};
use crate::cli::person::pushes::{ParentOverview, PushOverview};
use crate::cli::person::table::Table;

fn width(list: List) -> Option<usize> {
    if list == List::Wide { None } else { terminal_width() }
}

fn since(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map(|since| ago(since, now)).unwrap_or_default()
}

/// PushSecrets for people.
pub(super) fn push_secrets(overviews: &[PushOverview], list: List, all_namespaces: bool, now: Timestamp) -> String {
    if overviews.is_empty() {
        return String::new();
    }
    if list == List::Names {
        let names: Vec<_> = overviews.iter().map(|overview| format!("pushsecret/{}", overview.key.name)).collect();
        return names.join("\n") + "\n";
    }
    let mut headings = vec!["NAME", "STORE", "OBJECTS", "READY", "PUSHED", "NEXT", "SAYS"];
    if list == List::Wide {
        headings.insert(4, "SINCE");
    }
    if all_namespaces {
        headings.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&headings, width(list));
    for overview in overviews {
        table.row(headings.iter().map(|heading| match *heading {
            "NAMESPACE" => overview.key.namespace.clone(),
            "NAME" => overview.key.name.clone(),
            "STORE" => overview.store(),
            "OBJECTS" => overview.objects.to_string(),
            "READY" => ready_word(overview.state.ready).to_owned(),
            "SINCE" => since(overview.state.since, now),
            "PUSHED" => overview.pushed(now),
            "NEXT" => overview.next.in_words(now),
            _ => overview.says(),
        }));
    }
    table.text()
}

/// PushSecrets for programs to read.
pub(super) fn push_secrets_document(overviews: &[PushOverview]) -> Value {
    let count = |wanted: fn(&&PushOverview) -> bool| overviews.iter().filter(wanted).count();
    json!({
        "version": 1,
        "pushSecrets": overviews.iter().map(PushOverview::document).collect::<Vec<_>>(),
        "summary": {
            "all": overviews.len(),
            "ready": count(|overview| overview.state.is_ready()),
            "notReady": count(|overview| !overview.state.is_ready()),
            "stale": count(|overview| overview.is_stale),
        },
    })
}

/// ClusterPushSecrets for people.
pub(super) fn parents(overviews: &[ParentOverview], list: List, now: Timestamp) -> String {
    if overviews.is_empty() {
        return String::new();
    }
    if list == List::Names {
        let names: Vec<_> = overviews.iter().map(|overview| format!("clusterpushsecret/{}", overview.name)).collect();
        return names.join("\n") + "\n";
    }
    let mut table = Table::new(&["NAME", "NAMESPACES", "READY", "SINCE", "SAYS"], width(list));
    for overview in overviews {
        let namespaces = match overview.failed.len() {
            0 => overview.provisioned.to_string(),
            failed => format!("{} of {}", overview.provisioned, overview.provisioned + failed),
        };
        let ready = ready_word(overview.state.ready).to_owned();
        table.row([overview.name.clone(), namespaces, ready, since(overview.state.since, now), overview.says()]);
    }
    table.text()
}

/// ClusterPushSecrets for programs to read.
pub(super) fn parents_document(overviews: &[ParentOverview]) -> Value {
    json!({"version": 1, "clusterPushSecrets": overviews.iter().map(ParentOverview::document).collect::<Vec<_>>()})
}
