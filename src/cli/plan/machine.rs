//! Prints a plan for programs to read.

use serde_json::{Map, Value, json};

use super::action::Action;
use super::diff::Change;
use super::entry::{Entry, Findings, Summary, in_words};
use super::parents::{Makes, Parent};
use super::push::{self, PushEntry};
use crate::cli::redaction::Shown;
use crate::sync::refresh::Due;

/// The plan as one JSON value.
pub(super) fn document(all: &Findings) -> Value {
    let Summary { create, update, delete, unchanged, refused } = Summary::of(all);
    let of = |makes: Makes| all.parents.iter().filter(|parent| parent.makes == makes).map(parent).collect::<Vec<_>>();
    json!({
        "version": 1,
        "clusterExternalSecrets": of(Makes::ExternalSecrets),
        "externalSecrets": all.entries.iter().map(entry).collect::<Vec<_>>(),
        "clusterPushSecrets": of(Makes::PushSecrets),
        "pushSecrets": all.pushes.iter().map(push).collect::<Vec<_>>(),
        "summary": {
            "create": create, "update": update, "delete": delete, "unchanged": unchanged, "refused": refused,
        },
    })
}

fn parent(parent: &Parent) -> Value {
    let children = parent.children.iter().map(|child| {
        let mut printed = json!({
            "namespace": child.object.namespace,
            "name": child.object.name,
            "action": action(child.action),
        });
        if let Some(why) = &child.why {
            printed["reason"] = why.as_str().into();
        }
        printed
    });
    let children: Vec<_> = children.collect();
    let mut printed = json!({ "name": parent.name, "unchanged": parent.unchanged });
    printed[match parent.makes {
        Makes::ExternalSecrets => "externalSecrets",
        Makes::PushSecrets => "pushSecrets",
    }] = children.into();
    if let Some(fault) = &parent.fault {
        printed["fault"] = fault.as_str().into();
    }
    printed
}

fn entry(entry: &Entry) -> Value {
    let mut printed = json!({
        "namespace": entry.external_secret.namespace,
        "name": entry.external_secret.name,
        "target": { "kind": entry.kind, "name": entry.target },
        "action": action(entry.action),
        "changes": entry.changes.iter().map(change).collect::<Vec<_>>(),
        "deletions": entry
            .deletions
            .iter()
            .map(|deletion| json!({ "kind": deletion.kind, "name": deletion.name, "reason": deletion.reason }))
            .collect::<Vec<_>>(),
    });
    if let Some(condition) = &entry.condition {
        printed["condition"] = json!({
            "type": "Ready", "status": condition.status, "reason": condition.reason, "message": condition.message,
        });
    }
    if let Some(why) = entry.left_alone {
        printed["leftAlone"] = why.into();
    }
    if let Some(due) = entry.due {
        printed["due"] = in_json(due, &in_words(due));
    }
    printed
}

fn in_json(due: Due, words: &str) -> Value {
    match due {
        Due::Now(_) => json!({ "now": true, "reason": words }),
        Due::At(time) => json!({ "now": false, "at": time.to_string() }),
        Due::OnChange => json!({ "now": false, "reason": words }),
    }
}

fn push(entry: &PushEntry) -> Value {
    let objects = entry.objects.iter().map(|object| {
        let mut printed = json!({
            "store": { "kind": object.store.kind.name(), "name": object.store.object.name },
            "vault": object.vault,
            "name": object.name,
            "remoteKey": object.remote_key,
            "action": action(object.action),
            "what": object.what,
            "changes": object.changes,
        });
        if let Some(why) = &object.why {
            printed["reason"] = why.as_str().into();
        }
        printed
    });
    let mut printed = json!({
        "namespace": entry.push_secret.namespace,
        "name": entry.push_secret.name,
        "objects": objects.collect::<Vec<_>>(),
    });
    if let Some(message) = &entry.error {
        printed["condition"] = json!({ "type": "Ready", "status": "False", "reason": "Errored", "message": message });
    }
    if let Some(why) = &entry.left_alone {
        printed["leftAlone"] = why.as_str().into();
    }
    if let Some(due) = entry.due {
        printed["due"] = in_json(due, &push::in_words(due));
    }
    printed
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
        Action::None => "none",
        Action::Refuse => "refuse",
    }
}

fn change(change: &Change) -> Value {
    let kind = match (&change.before, &change.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let optional = [
        ("key", change.key.clone().map(Value::from)),
        ("before", change.before.as_ref().map(Shown::in_json)),
        ("after", change.after.as_ref().map(Shown::in_json)),
    ];
    let mut printed = Map::new();
    printed.insert("field".to_owned(), change.field.into());
    printed.insert("change".to_owned(), kind.into());
    printed.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    printed.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::core::key::ObjectKey;

    #[test]
    fn a_program_finds_what_a_person_reads() {
        let changes = vec![Change {
            field: "data",
            key: Some("a".to_owned()),
            before: None,
            after: Some(Shown::Redacted { bytes: 3, hash: "00".to_owned() }),
        }];
        let entry = Entry {
            external_secret: ObjectKey::new("team-a", "db"),
            kind: "Secret".to_owned(),
            target: "db".to_owned(),
            action: Action::Create,
            condition: None,
            left_alone: None,
            due: Some(Due::OnChange),
            changes,
            deletions: Vec::new(),
        };
        let document = document(&Findings { entries: vec![entry], ..Findings::default() });
        let found = &document["externalSecrets"][0];
        assert_eq!(found["action"], "create");
        let expected = json!([{"field": "data", "key": "a", "change": "added", "after": {"bytes": 3, "hash": "00"}}]);
        assert_eq!(found["changes"], expected);
        assert_eq!(document["summary"]["create"], 1);
    }
}
