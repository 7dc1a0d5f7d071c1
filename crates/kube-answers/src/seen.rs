//! Items of lists and watches.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::metadata::lenient;

/// An item of a list or a watch. One that cannot be read does not affect the others.
#[derive(Clone, Debug)]
pub enum Seen<K> {
    /// The item.
    Object(K),
    /// An item that cannot be read, with what is known of it: namespace, name, UID and version.
    Unreadable(Box<ObjectMeta>),
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Seen<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // This scans the text without recursion, however deeply it is nested.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match serde_json::from_str::<K>(text.get()) {
            Ok(object) if object.meta().name.is_some() => Self::Object(object),
            _ => Self::Unreadable(Box::new(identity(text.get()))),
        })
    }
}

/// What can be read of a malformed object.
fn identity(text: &str) -> ObjectMeta {
    #[derive(Deserialize)]
    struct Object {
        #[serde(default, deserialize_with = "lenient")]
        metadata: Option<Identity>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        #[serde(default, deserialize_with = "lenient")]
        name: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        namespace: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        uid: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        resource_version: Option<String>,
    }
    let Ok(Object { metadata: Some(Identity { name, namespace, uid, resource_version }) }) = serde_json::from_str(text)
    else {
        return ObjectMeta::default();
    };
    ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() }
}

impl<K: Resource> Resource for Seen<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn metadata_api() -> bool {
        K::metadata_api()
    }
    fn kind(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dyntype)
    }
    fn group(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::group(dyntype)
    }
    fn version(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::version(dyntype)
    }
    fn api_version(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::api_version(dyntype)
    }
    fn plural(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dyntype)
    }
    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Object(object) => object.meta(),
            Self::Unreadable(meta) => meta,
        }
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Object(object) => object.meta_mut(),
            Self::Unreadable(meta) => meta,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::core::{ObjectList, WatchEvent};

    use super::*;
    use crate::MetadataOf;

    type Item = Seen<MetadataOf<Secret>>;

    /// Items that no API server sends. Whatever they are, the last item of a list is read.
    const ODD: [&str; 9] = [
        "7",
        "null",
        "[]",
        r#"{"metadata": 7}"#,
        r#"{"metadata": {"name": 7, "resourceVersion": "1"}}"#,
        r#"{"metadata": {"name": "a", "resourceVersion": "1", "labels": 7}}"#,
        r#"{"metadata": {"name": "a", "resourceVersion": "1", "labels": {"a": {"b": 1e999}}}}"#,
        r#"{"metadata": {"name": "a", "resourceVersion": "1", "ownerReferences": [7]}}"#,
        r#"{"metadata": {"name": "\ud800", "resourceVersion": "1"}}"#,
    ];

    #[test]
    fn a_list_goes_on_past_an_item_that_cannot_be_read() {
        let items = ODD.join(",");
        let list = format!(
            r#"{{"metadata": {{"resourceVersion": "1"}}, "items": [{items}, {{"metadata": {{"name": "well"}}}}]}}"#
        );
        let list: ObjectList<Item> = serde_json::from_str(&list).unwrap();
        assert_eq!(list.items.len(), ODD.len() + 1);
        assert_eq!(list.items.last().unwrap().meta().name.as_deref(), Some("well"));
        let unread = list.items.iter().filter(|item| matches!(item, Seen::Unreadable(_))).count();
        assert_eq!(unread, ODD.len());
    }

    #[test]
    fn the_version_of_an_item_that_cannot_be_read_is_known_where_it_has_one() {
        for item in ODD.into_iter().filter(|item| item.contains("resourceVersion")) {
            let event = format!(r#"{{"type": "ADDED", "object": {item}}}"#);
            let WatchEvent::Added(item) = serde_json::from_str::<WatchEvent<Item>>(&event).unwrap() else {
                unreachable!("it is an addition")
            };
            assert_eq!(item.meta().resource_version.as_deref(), Some("1"), "{event}");
        }
    }
}
