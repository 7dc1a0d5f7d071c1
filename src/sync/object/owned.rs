//! Removes what was written earlier from an object that others write, too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::wipe::wipe;

/// Fields that belong to no writer's content.
const NOT_CONTENT: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

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

    #[test]
    fn the_metadata_and_the_status_are_no_content() {
        assert_eq!(top_level(&meta(), "ours"), ["extra", "spec"]);
    }
}
