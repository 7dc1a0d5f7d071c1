//! An ExternalSecret that is being made.

use serde_json::{Map, Value, json};

use super::metadata;
use super::vault::Store;

/// A value that is read, and the key that it becomes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key of the Secret.
    pub(super) key: String,
    /// What is read.
    pub(super) remote: Remote,
    /// The template that makes the key's value of it, of which the placeholder is its name; none where it stays as it is.
    pub(super) template: Option<fn(&str) -> String>,
    /// Steps through which it goes, in a template.
    pub(super) pipeline: Vec<&'static str>,
    pub(super) store: Store,
}

/// A value in a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) key: String,
    pub(super) version: String,
    pub(super) property: &'static str,
    pub(super) decoding: &'static str,
}

impl Remote {
    pub(super) fn new(key: impl Into<String>, version: &str) -> Self {
        Self { key: key.into(), version: version.to_owned(), property: "", decoding: "" }
    }

    fn reference(&self) -> Value {
        let mut reference = json!({"key": self.key});
        let given =
            [("version", self.version.as_str()), ("property", self.property), ("decodingStrategy", self.decoding)];
        for (field, value) in given.into_iter().filter(|(_, value)| !value.is_empty()) {
            reference[field] = value.into();
        }
        reference
    }
}

/// An ExternalSecret that is being made.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) store: Store,
    /// The Secret, and its type; none where it is Opaque.
    pub(super) target: String,
    pub(super) type_: String,
    /// `target.template.metadata`
    pub(super) metadata: Option<Value>,
    pub(super) entries: Vec<Entry>,
    /// Sets of values that are taken as they are.
    pub(super) extracts: Vec<Remote>,
    /// Sets of values that are YAML.
    pub(super) yaml: Vec<Remote>,
}

impl Draft {
    pub(super) fn new(namespace: &str, name: &str, store: Store, target: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            store,
            target: target.to_owned(),
            type_: String::new(),
            metadata: None,
            entries: Vec::new(),
            extracts: Vec::new(),
            yaml: Vec::new(),
        }
    }

    /// The manifest.
    pub(super) fn manifest(&self) -> Value {
        let (data, templates) = self.data();
        let mut spec = json!({"refreshInterval": "1h", "secretStoreRef": self.store.reference(), "target": self.target(templates)});
        if !data.is_empty() {
            spec["data"] = data.into();
        }
        if !self.extracts.is_empty() {
            let extracts = self.extracts.iter().map(|remote| json!({"extract": remote.reference()}));
            spec["dataFrom"] = extracts.collect::<Vec<_>>().into();
        }
        json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        })
    }

    /// Whether values go through templates. Then all do, since a template takes the place of all values.
    fn has_templates(&self) -> bool {
        !self.yaml.is_empty() || self.entries.iter().any(|entry| entry.template.is_some() || !entry.pipeline.is_empty())
    }

    /// The entries of `data`, and the templates by key. A value that is read for several keys is read once.
    fn data(&self) -> (Vec<Value>, Map<String, Value>) {
        let (mut data, mut templates) = (Vec::new(), Map::new());
        let mut read: Vec<(&Remote, &Store, String)> = Vec::new();
        let entry = |key: &str, remote: &Remote, store: &Store| {
            let mut entry = json!({"secretKey": key, "remoteRef": remote.reference()});
            if *store != self.store {
                entry["sourceRef"] = json!({"storeRef": store.reference()});
            }
            entry
        };
        if !self.has_templates() {
            data.extend(self.entries.iter().map(|one| entry(&one.key, &one.remote, &one.store)));
            return (data, templates);
        }
        let count = self.entries.len() + self.yaml.len();
        for one in &self.entries {
            let known = read.iter().find(|(remote, store, _)| **remote == one.remote && **store == one.store);
            let name = if let Some((_, _, name)) = known {
                name.clone()
            } else {
                let name = if count == 1 { "v".to_owned() } else { format!("v{}", read.len() + 1) };
                data.push(entry(&name, &one.remote, &one.store));
                read.push((&one.remote, &one.store, name.clone()));
                name
            };
            let value = format!(".{name}");
            let steps: Vec<_> = std::iter::once(value.as_str()).chain(one.pipeline.iter().copied()).collect();
            let plain = || format!("{{{{ {} }}}}", steps.join(" | "));
            let text = one.template.map_or_else(plain, |template| template(&name));
            templates.insert(one.key.clone(), text.into());
        }
        for (index, remote) in self.yaml.iter().enumerate() {
            data.push(entry(&yaml_name(index), remote, &self.store));
        }
        (data, templates)
    }

    fn target(&self, templates: Map<String, Value>) -> Value {
        let mut template = Map::new();
        if !self.type_.is_empty() && self.type_ != "Opaque" {
            template.insert("type".to_owned(), self.type_.clone().into());
        }
        if let Some(metadata) = &self.metadata {
            template.insert("metadata".to_owned(), metadata::literal(metadata.clone()));
        }
        if !templates.is_empty() {
            template.insert("data".to_owned(), templates.into());
        }
        if !self.yaml.is_empty() {
            let literals =
                (0..self.yaml.len()).map(|index| json!({"literal": format!("{{{{ .{} }}}}", yaml_name(index))}));
            template.insert("templateFrom".to_owned(), literals.collect::<Vec<_>>().into());
        }
        let mut target = json!({"name": self.target});
        if !template.is_empty() {
            target["template"] = template.into();
        }
        target
    }
}

fn yaml_name(index: usize) -> String {
    if index == 0 { "yaml".to_owned() } else { format!("yaml{}", index + 1) }
}
