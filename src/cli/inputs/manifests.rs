//! The manifests that are rendered: ExternalSecrets, and what they refer to.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount as Account};
use secrecy::{SecretSlice, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::provider::{ClusterReadError, ClusterReader, CredentialValue, SecretValue, ServiceAccount};
use crate::sync::template::Sources;

/// The namespace of manifests that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Why manifests cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// A file or folder cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML, or not what its kind says. Holds no part of the text, which may be a Secret.
    #[error("{place}: {problem}")]
    Invalid {
        /// The file, or the object in it.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// Manifests by what they are.
#[derive(Default)]
pub(in crate::cli) struct Manifests {
    pub(super) external_secrets: Vec<ExternalSecret>,
    pub(super) stores: HashMap<StoreKey, SecretStore>,
    config_maps: HashMap<ObjectKey, ConfigMap>,
    secrets: HashMap<ObjectKey, Secret>,
    service_accounts: HashMap<ObjectKey, Account>,
}

impl Manifests {
    /// Reads files, folders (their `.yaml`, `.yml` and `.json`) and, for `-`, the standard input.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut manifests = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|source| Error::File { path: path.clone(), source })?;
                manifests.add(&text, "standard input")?;
            } else {
                manifests.add_path(path)?;
            }
        }
        Ok(manifests)
    }

    fn add_path(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            paths.sort();
            let is_manifest = |path: &PathBuf| {
                path.is_dir() || path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
            };
            return paths.iter().filter(|path| is_manifest(path)).try_for_each(|path| self.add_path(path));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        self.add(&text, &path.display().to_string())
    }

    /// Adds the documents of a file.
    fn add(&mut self, text: &str, place: &str) -> Result<(), Error> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| Error::Invalid { place: place.to_owned(), problem: problem(&error) })?;
        documents.into_iter().try_for_each(|document| self.add_document(document, place))
    }

    fn add_document(&mut self, mut document: Value, place: &str) -> Result<(), Error> {
        if document["kind"] == "List" {
            let items = document["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            return items.into_iter().try_for_each(|item| self.add_document(item, place));
        }
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let place = format!("{place}: {kind} {name:?}");
        if kind != "ClusterSecretStore" && document["metadata"]["namespace"].is_null() && document.is_object() {
            document["metadata"]["namespace"] = DEFAULT_NAMESPACE.into();
        }
        match kind.as_str() {
            "ExternalSecret" => self.external_secrets.push(parse(document, &place)?),
            "SecretStore" | "ClusterSecretStore" => {
                let store: SecretStore = parse(document, &place)?;
                let kind = if kind == "SecretStore" { StoreKind::SecretStore } else { StoreKind::ClusterSecretStore };
                self.stores.insert(StoreKey { kind, object: ObjectKey::of(&store.metadata) }, store);
            }
            "ConfigMap" => {
                let object: ConfigMap = parse(document, &place)?;
                self.config_maps.insert(ObjectKey::of(&object.metadata), object);
            }
            "Secret" => {
                let mut object: Secret = parse(document, &place)?;
                // As the API server does when it stores one.
                for (key, text) in object.string_data.take().unwrap_or_default() {
                    object.data.get_or_insert_default().insert(key, k8s_openapi::ByteString(text.into_bytes()));
                }
                self.secrets.insert(ObjectKey::of(&object.metadata), object);
            }
            "ServiceAccount" => {
                let object: Account = parse(document, &place)?;
                self.service_accounts.insert(ObjectKey::of(&object.metadata), object);
            }
            _ => {}
        }
        Ok(())
    }

    /// The ConfigMaps and Secrets of a namespace, for templates.
    pub(super) fn sources(&self, namespace: &str) -> Sources {
        let config_maps = self.config_maps.iter().filter(|(key, _)| key.namespace == namespace);
        let secrets = self.secrets.iter().filter(|(key, _)| key.namespace == namespace);
        Sources {
            config_maps: config_maps
                .map(|(key, object)| (key.name.clone(), object.data.clone().unwrap_or_default()))
                .collect(),
            secrets: secrets
                .map(|(key, object)| {
                    let data = object.data.iter().flatten();
                    (key.name.clone(), data.map(|(key, value)| (key.clone(), secret_value(&value.0))).collect())
                })
                .collect(),
        }
    }
}

fn secret_value(bytes: &[u8]) -> SecretValue {
    SecretValue::new(SecretSlice::from(bytes.to_vec()))
}

fn parse<T: DeserializeOwned>(document: Value, place: &str) -> Result<T, Error> {
    serde_json::from_value(document).map_err(|_| Error::Invalid {
        place: place.to_owned(),
        problem: "the manifest does not fit its kind".to_owned(),
    })
}

/// Where the YAML is wrong, without the text around it.
fn problem(error: &serde_saphyr::Error) -> String {
    match error.location() {
        Some(location) => format!("line {}: this is not valid YAML", location.line()),
        None => "this is not valid YAML".to_owned(),
    }
}

/// What providers read from the cluster is read from the manifests.
#[async_trait]
impl ClusterReader for Manifests {
    async fn service_account(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError> {
        let account = self.service_accounts.get(&ObjectKey::new(namespace, name));
        Ok(account.map(|account| ServiceAccount {
            uid: account.metadata.uid.clone().unwrap_or_default(),
            annotations: account.metadata.annotations.clone().unwrap_or_else(BTreeMap::new),
        }))
    }

    async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        _: &[String],
    ) -> Result<SecretString, ClusterReadError> {
        Err(ClusterReadError::Unavailable {
            object: format!("a token of service account {name:?} in namespace {namespace:?}"),
            reason: "rendering asks no cluster; give the values by --values".to_owned(),
        })
    }

    async fn secret_key(&self, namespace: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError> {
        let secret = self.secrets.get(&ObjectKey::new(namespace, name));
        let value = secret.and_then(|secret| secret.data.as_ref()).and_then(|data| data.get(key));
        let value = value.ok_or_else(|| ClusterReadError::NotFound {
            object: format!("key {key:?} of Secret {name:?} in namespace {namespace:?}, in the manifests,"),
        })?;
        Ok(CredentialValue { value: secret_value(&value.0), uid: String::new(), resource_version: String::new() })
    }
}
