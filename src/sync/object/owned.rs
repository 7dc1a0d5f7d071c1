//! Removes what was written earlier from an object that others write, too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::wipe::wipe;
use crate::sync::managed_fields;

/// Fields that belong to no writer's content.
const NOT_CONTENT: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Whether everything that `managers` wrote still is as they wrote it, as far as managed fields show: fields that
/// somebody changed belong to that writer from then on. A field that was removed shows nowhere. With `merges`, others
/// may write fields of their own, so all that is known is whether anything is left.
pub(super) fn is_whole(meta: &ObjectMeta, managers: &[&str], merges: bool) -> bool {
    let entries = meta.managed_fields.iter().flatten();
    let of_content = entries.filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty());
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for entry in of_content {
        let Some(tree) = entry.fields_v1.as_ref().and_then(|fields| fields.0.as_object()) else { continue };
        let is_own = managers.iter().any(|manager| managed_fields::is_of(entry, manager));
        if is_own { own.push(tree) } else { others.push(tree) }
    }
    if own.is_empty() && others.is_empty() {
        return true;
    }
    let is_content = |key: &str| key.strip_prefix("f:").is_some_and(|key| !NOT_CONTENT.contains(&key));
    let is_own = |key: &str| is_content(key) && own.iter().any(|tree| tree.contains_key(key));
    let has_own = own.iter().any(|tree| tree.keys().any(|key| is_content(key)));
    let mut fields_of_others = others.into_iter().flatten().filter(|(key, _)| is_own(key));
    has_own && (merges || fields_of_others.all(|(key, fields)| is_among(key, fields, &own)))
}

/// Whether a field of a writer, and all that it wrote below, is in one of these trees, too.
fn is_among(key: &str, fields: &Value, trees: &[&Map<String, Value>]) -> bool {
    let found: Vec<_> = trees.iter().filter_map(|tree| tree.get(key)?.as_object()).collect();
    let mut below = fields.as_object().into_iter().flatten();
    key == "." || (!found.is_empty() && below.all(|(key, fields)| is_among(key, fields, &found)))
}

/// The content that `manager` wrote, as trees from `metadata.managedFields`.
fn trees<'m>(meta: &'m ObjectMeta, manager: &str) -> impl Iterator<Item = &'m Map<String, Value>> {
    let manager = manager.to_owned();
    let entries = meta.managed_fields.iter().flatten();
    let own = entries.filter(move |entry| {
        entry.manager.as_ref() == Some(&manager) && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    own.filter_map(|entry| entry.fields_v1.as_ref()?.0.as_object())
}

/// The top-level fields that `manager` wrote.
pub(super) fn top_level(meta: &ObjectMeta, manager: &str) -> Vec<String> {
    let keys = trees(meta, manager).flat_map(Map::keys).filter_map(|key| key.strip_prefix("f:"));
    keys.filter(|key| !NOT_CONTENT.contains(key)).map(str::to_owned).collect()
}

/// Removes the strings, numbers and booleans that `manager` wrote, and the mappings that it created and that are now
/// empty. Lists stay: the writer of one element owns the whole list, and other elements may belong to somebody else.
pub(super) fn remove(content: &mut Value, meta: &ObjectMeta, manager: &str) {
    for tree in trees(meta, manager) {
        let fields =
            tree.iter().filter(|(key, _)| key.strip_prefix("f:").is_some_and(|key| !NOT_CONTENT.contains(&key)));
        for (key, owned) in fields {
            remove_field(content, key, owned);
        }
    }
}

fn remove_field(parent: &mut Value, key: &str, owned: &Value) {
    let (Some(fields), Some(name), Some(owned)) = (parent.as_object_mut(), key.strip_prefix("f:"), owned.as_object())
    else {
        return;
    };
    let Some(field) = fields.get_mut(name) else { return };
    let goes = match field {
        Value::Array(_) => false,
        Value::Object(_) => {
            for (key, owned) in owned {
                remove_field(field, key, owned);
            }
            owned.contains_key(".") && field.as_object().is_some_and(Map::is_empty)
        }
        _ => owned.is_empty(),
    };
    if goes && let Some(mut gone) = fields.remove(name) {
        wipe(&mut gone);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta() -> ObjectMeta {
        let ours = json!({
            "f:spec": {"f:database": {".": {}, "f:host": {}}, "f:port": {}, "f:rules": {}, "f:selector": {},
                       "f:gone": {}, "f:shared": {"f:ours": {}}},
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:extra": {".": {}, "f:x": {}},
        });
        let of_status = json!({"f:status": {"f:phase": {}}});
        let theirs = json!({"f:spec": {"f:theirs": {}}});
        serde_json::from_value(json!({"managedFields": [
            {"manager": "ours", "operation": "Update", "fieldsV1": ours},
            {"manager": "ours", "operation": "Update", "fieldsV1": of_status, "subresource": "status"},
            {"manager": "theirs", "operation": "Update", "fieldsV1": theirs},
        ]}))
        .unwrap()
    }

    #[test]
    fn only_single_values_of_the_manager_go() {
        let mut content = json!({
            "spec": {"database": {"host": "db"}, "port": 1, "rules": [1, 2], "selector": {"app": "x"}, "theirs": "y",
                     "shared": {"ours": 1, "theirs": 2}},
            "extra": {"x": 1, "y": 2},
            "status": {"phase": "Up"},
        });
        remove(&mut content, &meta(), "ours");
        let spec = json!({"rules": [1, 2], "selector": {"app": "x"}, "theirs": "y", "shared": {"theirs": 2}});
        assert_eq!(content, json!({"spec": spec, "extra": {"y": 2}, "status": {"phase": "Up"}}));
    }

    fn of(entries: &Value) -> ObjectMeta {
        serde_json::from_value(json!({ "managedFields": entries })).unwrap()
    }

    #[test]
    fn what_somebody_changed_belongs_to_that_writer() {
        let entry = |manager: &str, spec: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": spec}});
        let ours = entry("ours", json!({".": {}, "f:database": {".": {}, "f:password": {}}, "f:mode": {}}));
        let labels =
            json!({"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:extra": {}}});
        let status = json!({"manager": "operator", "subresource": "status", "fieldsV1": {"f:status": {"f:phase": {}}}});
        let same = entry("other", json!({".": {}, "f:mode": {}}));
        assert!(is_whole(&of(&json!([ours, labels, status, same])), &["ours"], false));
        assert!(is_whole(&ObjectMeta::default(), &["ours"], false), "nothing is known");
        let theirs = entry("kubectl", json!({"f:database": {"f:password": {}}}));
        let left = entry("ours", json!({".": {}, "f:database": {".": {}}, "f:mode": {}}));
        assert!(!is_whole(&of(&json!([left, theirs])), &["ours"], false));
        let added = entry("kubectl", json!({"f:replicas": {}}));
        assert!(!is_whole(&of(&json!([ours, added])), &["ours"], false));
        assert!(is_whole(&of(&json!([ours, added])), &["ours"], true), "others may add to what is merged into");
        assert!(!is_whole(&of(&json!([added])), &["ours"], true), "nothing is left");
    }

    #[test]
    fn the_metadata_and_the_status_are_no_content() {
        assert_eq!(top_level(&meta(), "ours"), ["extra", "spec"]);
    }
}
