//! Manifests, sorted by kind: ExternalSecrets, PushSecrets and the objects that they refer to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};

use super::document::{self, Document, Object, Place};
use super::files::{self, Named};
use crate::api::generators::Generator;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::store_access::key::StoreKey;
use crate::template::yaml;

/// Why manifests cannot be read. Contains none of their text, which may be a Secret's.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// A file or folder cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// It is not YAML.
    #[error("{file}, line {line}: this is not valid YAML: {problem}")]
    Yaml { file: String, line: usize, problem: String },
    /// A document is invalid for its kind.
    #[error(transparent)]
    Document(#[from] document::Error),
    /// The same object appears twice.
    #[error("{place}: this object occurs twice; the other one is in {other}")]
    Twice { place: Place, other: String },
}

/// Manifests, sorted by kind.
#[derive(Default)]
pub(in crate::cli) struct Manifests {
    pub(in crate::cli) external_secrets: Vec<ExternalSecret>,
    pub(in crate::cli) cluster_external_secrets: Vec<ClusterExternalSecret>,
    pub(in crate::cli) push_secrets: Vec<PushSecret>,
    pub(in crate::cli) cluster_push_secrets: Vec<ClusterPushSecret>,
    pub(super) stores: HashMap<StoreKey, Arc<SecretStore>>,
    pub(super) generators: HashMap<GeneratorKey, Arc<Generator>>,
    config_maps: HashMap<ObjectKey, ConfigMap>,
    secrets: HashMap<ObjectKey, Secret>,
    pub(super) service_accounts: HashMap<ObjectKey, ServiceAccount>,
    pub(in crate::cli) namespaces: HashMap<String, Namespace>,
    /// The location of each object, by kind and key.
    places: HashMap<(&'static str, ObjectKey), String>,
}

impl Manifests {
    /// Reads files, the `.yaml`, `.yml` and `.json` files of folders and, for `-`, the standard input. Objects without
    /// a namespace get `namespace`.
    pub(in crate::cli) fn read(paths: &[PathBuf], namespace: &str) -> Result<Self, Error> {
        let mut manifests = Self::default();
        for file in files::read(paths)? {
            manifests.add(&file.text, &file.name(), file.named, namespace)?;
        }
        Ok(manifests)
    }

    /// Reads one text.
    #[cfg(any(test, fuzzing))]
    pub(in crate::cli) fn of_text(text: &str, namespace: &str) -> Result<Self, Error> {
        let mut manifests = Self::default();
        manifests.add(text, "x.yaml", Named::Itself, namespace).map(|()| manifests)
    }

    /// Objects that were made, each of its namespace.
    pub(in crate::cli) fn of_values(values: Vec<serde_json::Value>) -> Result<Self, Error> {
        let mut manifests = Self::default();
        for (index, value) in values.into_iter().enumerate() {
            let place = Place::new("what was made", index + 1);
            manifests.add_document(Document { value, place, namespace: "" })?;
        }
        Ok(manifests)
    }

    /// A ConfigMap from the manifests.
    pub(in crate::cli) fn config_map(&self, key: &ObjectKey) -> Option<&ConfigMap> {
        self.config_maps.get(key)
    }

    /// A Secret from the manifests.
    pub(in crate::cli) fn secret(&self, key: &ObjectKey) -> Option<&Secret> {
        self.secrets.get(key)
    }

    /// The Secrets of a namespace that are given.
    pub(super) fn secrets_of(&self, namespace: &str) -> impl Iterator<Item = &Secret> {
        let is_there = move |(key, _): &(&ObjectKey, &Secret)| key.namespace == namespace;
        self.secrets.iter().filter(is_there).map(|(_, secret)| secret)
    }

    /// Adds the documents of a file.
    fn add(&mut self, text: &str, file: &str, named: Named, namespace: &str) -> Result<(), Error> {
        for document in documents(text, file)? {
            if document.value.is_null() {
                continue;
            }
            let place = Place::new(file, document.line);
            if named == Named::ByFolder && !document::looks_like_an_object(&document.value) {
                continue;
            }
            self.add_document(Document { value: document.value, place, namespace })?;
        }
        Ok(())
    }

    fn add_document(&mut self, mut document: Document<'_>) -> Result<(), Error> {
        if let Some(items) = document.take_items() {
            return items.into_iter().try_for_each(|item| self.add_document(item));
        }
        let place = document.described_place()?;
        let Some(object) = document.into_object(&place)? else { return Ok(()) };
        if let Some(other) = self.places.insert((object.kind(), object.key()), place.of_document()) {
            return Err(Error::Twice { place, other });
        }
        let key = object.key();
        match object {
            Object::ExternalSecret(object) => self.external_secrets.push(object),
            Object::ClusterExternalSecret(object) => self.cluster_external_secrets.push(object),
            Object::PushSecret(object) => self.push_secrets.push(object),
            Object::ClusterPushSecret(object) => self.cluster_push_secrets.push(object),
            Object::Store(kind, store) => {
                self.stores.insert(StoreKey { kind, object: key }, Arc::new(store));
            }
            Object::Generator(kind, generator) => {
                self.generators.insert(GeneratorKey { kind, object: key }, Arc::new(generator));
            }
            Object::ConfigMap(object) => {
                self.config_maps.insert(key, object);
            }
            Object::Secret(object) => {
                self.secrets.insert(key, object);
            }
            Object::ServiceAccount(object) => {
                self.service_accounts.insert(key, object);
            }
            Object::Namespace(object) => {
                self.namespaces.insert(key.name, object);
            }
        }
        Ok(())
    }
}

/// The documents of a text, read as `kubectl` does: JSON, or else YAML 1.1.
fn documents(text: &str, file: &str) -> Result<Vec<yaml::Document>, Error> {
    if let Some(documents) = json_documents(text) {
        return Ok(documents);
    }
    yaml::read_documents(text.as_bytes()).map_err(|error| Error::Yaml {
        file: file.to_owned(),
        line: error.line,
        problem: error.problem,
    })
}

/// JSON values one after the other; `None` if the text is anything else.
fn json_documents(text: &str) -> Option<Vec<yaml::Document>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let mut documents = Vec::new();
    loop {
        let rest = text.get(values.byte_offset()..)?;
        let begin = text.len() - rest.trim_start().len();
        let Some(value) = values.next() else { return Some(documents) };
        let line = 1 + text.get(..begin)?.matches('\n').count();
        documents.push(yaml::Document { line, value: value.ok()? });
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Manifests, Error> {
        Manifests::of_text(text, "team-a")
    }

    const GOOD: &str = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db}\nspec: {}\n";

    #[rstest]
    #[case("a: [", "x.yaml, line ")]
    #[case("hello", "x.yaml, line 1: this is not a Kubernetes object: it has no apiVersion and no kind")]
    #[case("kind: Secret", "x.yaml, line 1: Secret \"\": apiVersion: it is missing")]
    #[case("\n---\n# words\napiVersion: v1\n", "x.yaml, line 4: kind: it is missing")]
    #[case(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {}",
        "x.yaml, line 1: ExternalSecret \"\": metadata.name: it is missing"
    )]
    #[case(
        "apiVersion: external-secrets.io/v1alpha1\nkind: SecretStore\nmetadata: {name: a}",
        "x.yaml, line 1: SecretStore \"a\": apiVersion: \"external-secrets.io/v1alpha1\" is not served; write external-secrets.io/v1"
    )]
    #[case(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {data: [{secretKey: a, remoteref: {key: b}}]}",
        "x.yaml, line 1: ExternalSecret \"a\": spec.data[0].remoteref: unknown field"
    )]
    #[case(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {refreshInterval: soon}",
        "x.yaml, line 1: ExternalSecret \"a\": spec.refreshInterval: "
    )]
    #[case(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {password: 'hunter2!'}",
        "x.yaml, line 1: Secret \"a\": data.password: this does not fit the schema of a Secret"
    )]
    #[case(
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: 5}]",
        "x.yaml, line 1: items[0]: ConfigMap \"c\": data: this does not fit the schema of a ConfigMap"
    )]
    fn nonsense_is_reported_with_file_document_and_field(#[case] text: &str, #[case] expected: &str) {
        let error = read(text).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[rstest]
    #[case("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {y: a, no: b, 0123: c, 1.50: d, 'n': e, 0o17: f, 1_000: g, 2026-11-28: h, .5: j}",
        &["0.5", "1.5", "1000", "15", "2026-11-28", "83", "false", "n", "true"])]
    #[case("{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"c\"}, \"data\": {\"y\": \"\\ud83d\\ude00\"}}", &["y"])]
    #[case("# first\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: &d {a: b}\n---\n# last\n", &["a"])]
    fn keys_are_read_as_kubectl_reads_them(#[case] text: &str, #[case] keys: &[&str]) {
        let manifests = read(text).unwrap();
        let config_map = manifests.config_map(&ObjectKey::new("team-a", "c")).unwrap();
        assert_eq!(config_map.data.as_ref().unwrap().keys().collect::<Vec<_>>(), keys);
    }

    #[rstest]
    #[case(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: x\n  a: y",
        "x.yaml, line 6: this is not valid YAML: the key \"a\" is given twice"
    )]
    #[case(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {y: a, yes: b}",
        "x.yaml, line 4: this is not valid YAML: the key \"true\" is given twice"
    )]
    #[case(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {~: a}",
        "x.yaml, line 4: this is not valid YAML: a key is of the type nil; put it in quotes"
    )]
    #[case(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\nstringData: {pin: 0123}",
        "x.yaml, line 1: Secret \"c\": stringData.pin: this does not fit the schema of a Secret: without quotes it is a number in YAML; put it in quotes, if it is text"
    )]
    #[case(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {target: {template: {data: {a: yes}}}}",
        "x.yaml, line 1: ExternalSecret \"a\": spec.target.template.data.a: without quotes it is a truth value in YAML; put it in quotes, if it is text"
    )]
    fn a_missing_pair_of_quotes_is_reported(#[case] text: &str, #[case] message: &str) {
        assert_eq!(read(text).err().unwrap().to_string(), message);
    }

    #[test]
    fn an_object_that_occurs_twice_is_reported_with_both_places() {
        let error = read(&format!("{GOOD}---\n{GOOD}")).err().unwrap().to_string();
        assert_eq!(
            error,
            "x.yaml, line 6: ExternalSecret \"db\": this object occurs twice; the other one is in x.yaml, line 1"
        );
    }

    #[test]
    fn a_namespace_is_filled_in_and_objects_of_other_groups_are_left_alone() {
        let others = "apiVersion: kubernetes-client.io/v1\nkind: ExternalSecret\nmetadata: {name: other}\n---\n";
        let manifests = read(&format!("{others}{GOOD}")).unwrap();
        assert_eq!(manifests.external_secrets.len(), 1);
        assert_eq!(manifests.external_secrets[0].metadata.namespace.as_deref(), Some("team-a"));
    }

    #[test]
    fn of_a_folder_only_what_looks_like_an_object_counts() {
        let mut manifests = Manifests::default();
        manifests.add("replicas: 3", "values.yaml", Named::ByFolder, "default").unwrap();
        assert!(manifests.add("replicas: 3", "values.yaml", Named::Itself, "default").is_err());
    }
}
