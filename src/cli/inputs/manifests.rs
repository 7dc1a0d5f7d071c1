//! Manifests by what they are: ExternalSecrets, and what they refer to.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::document::{self, Document, Object, Place};
use crate::api::v1::{ExternalSecret, SecretStore};
use crate::controller::key::{ObjectKey, StoreKey};

/// Why manifests cannot be read. Holds no part of their text, which may be a Secret.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// A file or folder cannot be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("{place}: this is not valid YAML")]
    Yaml {
        /// Where it is wrong.
        place: String,
    },
    /// It is not what its kind says.
    #[error(transparent)]
    Document(#[from] document::Error),
    /// An object is there twice.
    #[error("{place}: this object is given twice; the other is in {other}")]
    Twice {
        /// The second.
        place: Place,
        /// Where the first is.
        other: String,
    },
}

/// Whether whoever names a file means it to be a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// It was named itself: what is no manifest in it is an error.
    Itself,
    /// It lies in a folder that was named, where there may be other files, too.
    ByFolder,
}

/// Manifests by what they are.
#[derive(Default)]
pub(in crate::cli) struct Manifests {
    pub(in crate::cli) external_secrets: Vec<ExternalSecret>,
    pub(super) stores: HashMap<StoreKey, Arc<SecretStore>>,
    config_maps: HashMap<ObjectKey, ConfigMap>,
    secrets: HashMap<ObjectKey, Secret>,
    pub(super) service_accounts: HashMap<ObjectKey, ServiceAccount>,
    pub(super) namespaces: HashMap<String, Namespace>,
    /// Where each object is, by kind and key.
    places: HashMap<(&'static str, ObjectKey), String>,
}

impl Manifests {
    /// Reads files, folders (their `.yaml`, `.yml` and `.json`) and, for `-`, the standard input. `namespace` is that of
    /// manifests that name none.
    pub(in crate::cli) fn read(paths: &[PathBuf], namespace: &str) -> Result<Self, Error> {
        let mut manifests = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|source| Error::File { path: "standard input".into(), source })?;
                manifests.add(&text, "standard input", Named::Itself, namespace)?;
            } else {
                manifests.add_path(path, Named::Itself, namespace)?;
            }
        }
        Ok(manifests)
    }

    /// Reads one text.
    #[cfg(any(test, fuzzing))]
    pub(in crate::cli) fn of_text(text: &str, namespace: &str) -> Result<Self, Error> {
        let mut manifests = Self::default();
        manifests.add(text, "x.yaml", Named::Itself, namespace).map(|()| manifests)
    }

    /// A ConfigMap that is given.
    pub(in crate::cli) fn config_map(&self, key: &ObjectKey) -> Option<&ConfigMap> {
        self.config_maps.get(key)
    }

    /// A Secret that is given.
    pub(in crate::cli) fn secret(&self, key: &ObjectKey) -> Option<&Secret> {
        self.secrets.get(key)
    }

    fn add_path(&mut self, path: &Path, named: Named, namespace: &str) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            paths.sort();
            let is_manifest = |path: &PathBuf| {
                path.is_dir() || path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
            };
            let mut manifests = paths.iter().filter(|path| is_manifest(path));
            return manifests.try_for_each(|path| self.add_path(path, Named::ByFolder, namespace));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        self.add(&text, &path.display().to_string(), named, namespace)
    }

    /// Adds the documents of a file.
    fn add(&mut self, text: &str, file: &str, named: Named, namespace: &str) -> Result<(), Error> {
        let documents: Vec<Spanned<Value>> = serde_saphyr::from_multiple(text).map_err(|error| {
            let line = error.location().map(|location| format!(", line {}", location.line()));
            Error::Yaml { place: format!("{file}{}", line.unwrap_or_default()) }
        })?;
        for document in documents {
            let place = Place::new(file, document.defined.line());
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
            Object::Store(kind, store) => {
                self.stores.insert(StoreKey { kind, object: key }, Arc::new(store));
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
    #[case("hello", "x.yaml, line 1: this is no object of Kubernetes: it has no apiVersion and no kind")]
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
        "x.yaml, line 1: ExternalSecret \"a\": spec.data[0].remoteref: there is no such field"
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
    fn nonsense_is_told_with_file_document_and_field(#[case] text: &str, #[case] expected: &str) {
        let error = read(text).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn an_object_that_is_given_twice_is_told_with_both_places() {
        let error = read(&format!("{GOOD}---\n{GOOD}")).err().unwrap().to_string();
        assert_eq!(
            error,
            "x.yaml, line 6: ExternalSecret \"db\": this object is given twice; the other is in x.yaml, line 1"
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
