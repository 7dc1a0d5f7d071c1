//! Parses one document of a manifest into an object, and reports what is wrong with it.

use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::crd::{self, fill_defaults, unknown_field};
use crate::api::generators::{self, Generator, GeneratorKind};
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{self, ClusterPushSecret, PushSecret};
use crate::api::{GROUP, Parsed, ServedVersion};
use crate::controller::core::key::ObjectKey;

/// The location of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Place(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    file: String,
    line: usize,
    /// The index in a List.
    item: String,
    /// Its kind and name, if it has them.
    object: String,
}

impl Place {
    pub(super) fn new(file: &str, line: usize) -> Self {
        Self(Box::new(Parts { file: file.to_owned(), line, item: String::new(), object: String::new() }))
    }

    /// The location without the object.
    pub(super) fn of_document(&self) -> String {
        self.of_object(String::new()).to_string()
    }

    fn of_object(&self, object: String) -> Self {
        Self(Box::new(Parts { object, ..self.0.as_ref().clone() }))
    }

    fn of_item(&self, index: usize) -> Self {
        Self(Box::new(Parts { item: format!("{}items[{index}]", self.0.item), ..self.0.as_ref().clone() }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { file, line, item, object } = self.0.as_ref();
        write!(f, "{file}, line {line}")?;
        for part in [item, object] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        Ok(())
    }
}

/// What is wrong with a document. Quotes only text that cannot be a secret.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// It is not an object.
    #[error("{0}: this is not a Kubernetes object: it has no apiVersion and no kind")]
    NoObject(Place),
    /// A field that every object must have is missing.
    #[error("{place}: {field}: it is missing")]
    Missing { place: Place, field: &'static str },
    /// The version is not one of ours.
    #[error("{place}: apiVersion: {version:?} is not served; write {}", ServedVersion::V1.api_version())]
    Version { place: Place, version: String },
    /// The same of a kind that there is in one version alone.
    #[error("{place}: apiVersion: {version:?} is not served; write {}", v1alpha1::API_VERSION)]
    VersionOfPush { place: Place, version: String },
    /// An unknown field.
    #[error("{place}: {field}: unknown field")]
    Unknown { place: Place, field: String },
    /// A field of one of our kinds is invalid.
    #[error("{place}: {field}: {problem}")]
    Field {
        place: Place,
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// An object of a kind that is used.
pub(super) enum Object {
    ExternalSecret(ExternalSecret),
    ClusterExternalSecret(ClusterExternalSecret),
    PushSecret(PushSecret),
    ClusterPushSecret(ClusterPushSecret),
    Store(StoreKind, SecretStore),
    Generator(GeneratorKind, Generator),
    ConfigMap(ConfigMap),
    Secret(Secret),
    ServiceAccount(ServiceAccount),
    Namespace(Namespace),
}

impl Object {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::ExternalSecret(_) => ExternalSecret::KIND,
            Self::ClusterExternalSecret(_) => ClusterExternalSecret::KIND,
            Self::PushSecret(_) => PushSecret::KIND,
            Self::ClusterPushSecret(_) => ClusterPushSecret::KIND,
            Self::Store(kind, _) => kind.name(),
            Self::Generator(kind, _) => kind.name(),
            Self::ConfigMap(_) => "ConfigMap",
            Self::Secret(_) => "Secret",
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::Namespace(_) => "Namespace",
        }
    }

    pub(super) fn key(&self) -> ObjectKey {
        ObjectKey::of(match self {
            Self::ExternalSecret(object) => &object.metadata,
            Self::ClusterExternalSecret(object) => &object.metadata,
            Self::PushSecret(object) => &object.metadata,
            Self::ClusterPushSecret(object) => &object.metadata,
            Self::Store(_, object) => &object.metadata,
            Self::Generator(_, object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
            Self::Secret(object) => &object.metadata,
            Self::ServiceAccount(object) => &object.metadata,
            Self::Namespace(object) => &object.metadata,
        })
    }
}

/// Whether a document is meant to be a Kubernetes object.
pub(super) fn looks_like_an_object(value: &Value) -> bool {
    value["apiVersion"].is_string() || value["kind"].is_string()
}

/// A document and its location.
pub(super) struct Document<'a> {
    pub(super) value: Value,
    pub(super) place: Place,
    /// The namespace for an object that names none.
    pub(super) namespace: &'a str,
}

impl Document<'_> {
    /// Takes the items of a List.
    pub(super) fn take_items(&mut self) -> Option<Vec<Self>> {
        if self.value["kind"] != "List" {
            return None;
        }
        let items = self.value["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let document = |(index, value)| Document { value, place: self.place.of_item(index), namespace: self.namespace };
        Some(items.into_iter().enumerate().map(document).collect())
    }

    /// The location, with the object's kind and name.
    pub(super) fn described_place(&self) -> Result<Place, Error> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if !looks_like_an_object(&self.value) {
            return Err(Error::NoObject(self.place.clone()));
        }
        let Some(kind) = text(&self.value["kind"]) else {
            return Err(Error::Missing { place: self.place.clone(), field: "kind" });
        };
        let name = text(&self.value["metadata"]["name"]).unwrap_or_default();
        Ok(self.place.of_object(format!("{kind} {name:?}")))
    }

    /// The object, if it is of a kind that is used.
    pub(super) fn into_object(mut self, place: &Place) -> Result<Option<Object>, Error> {
        let missing = |field| Error::Missing { place: place.clone(), field };
        let kind = self.value["kind"].as_str().unwrap_or_default().to_owned();
        let api_version = self.value["apiVersion"].as_str().ok_or_else(|| missing("apiVersion"))?.to_owned();
        let (group, _) = api_version.split_once('/').unwrap_or_default();
        let is_ours = ["ExternalSecret", "ClusterExternalSecret", "SecretStore", "ClusterSecretStore"]
            .contains(&&*kind)
            && group == GROUP;
        let is_core = ["ConfigMap", "Secret", "ServiceAccount", "Namespace"].contains(&&*kind) && api_version == "v1";
        let generator = GeneratorKind::named(&kind).filter(|_| group == generators::GROUP);
        let is_push = [PushSecret::KIND, ClusterPushSecret::KIND].contains(&&*kind) && group == GROUP;
        if !is_ours && !is_push && !is_core && generator.is_none() {
            return Ok(None);
        }
        if self.value["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(missing("metadata.name"));
        }
        let of_cluster =
            ["ClusterExternalSecret", "ClusterPushSecret", "ClusterSecretStore", "ClusterGenerator", "Namespace"]
                .contains(&&*kind);
        if let Some(meta) = self.value["metadata"].as_object_mut() {
            if of_cluster {
                meta.remove("namespace");
            } else {
                let given = meta.get("namespace").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
                if !given {
                    meta.insert("namespace".to_owned(), self.namespace.into());
                }
            }
        }
        let served = [ServedVersion::V1, ServedVersion::V1beta1].map(ServedVersion::api_version);
        if is_ours && !served.contains(&&*api_version) {
            return Err(Error::Version { place: place.clone(), version: api_version });
        }
        if is_push && api_version != v1alpha1::API_VERSION {
            return Err(Error::VersionOfPush { place: place.clone(), version: api_version });
        }
        if let Some(kind) = generator {
            if api_version != generators::API_VERSION {
                return Err(Error::Version { place: place.clone(), version: api_version });
            }
            let object: Generator = ours(self.value, &crd::generator_schema(kind), place)?;
            if let Err(field) = object.described(kind) {
                return Err(Error::Field { place: place.clone(), field: field.path, problem: field.problem });
            }
            return Ok(Some(Object::Generator(kind, object)));
        }
        self.typed(&kind, place).map(Some)
    }

    fn typed(self, kind: &str, place: &Place) -> Result<Object, Error> {
        Ok(match kind {
            "ExternalSecret" => Object::ExternalSecret(external_secret(self.value, place)?),
            "ClusterExternalSecret" => Object::ClusterExternalSecret(cluster_external_secret(self.value, place)?),
            "PushSecret" => Object::PushSecret(push_secret(self.value, place)?),
            "ClusterPushSecret" => Object::ClusterPushSecret(cluster_push_secret(self.value, place)?),
            "SecretStore" => Object::Store(StoreKind::SecretStore, store(self.value, place)?),
            "ClusterSecretStore" => Object::Store(StoreKind::ClusterSecretStore, store(self.value, place)?),
            "ConfigMap" => Object::ConfigMap(core(&self.value, "a ConfigMap", place)?),
            "Secret" => {
                let mut secret: Secret = core(&self.value, "a Secret", place)?;
                // The API server does the same when it stores a Secret.
                for (key, text) in secret.string_data.take().unwrap_or_default() {
                    secret.data.get_or_insert_default().insert(key, ByteString(text.into_bytes()));
                }
                Object::Secret(secret)
            }
            "ServiceAccount" => Object::ServiceAccount(core(&self.value, "a ServiceAccount", place)?),
            _ => Object::Namespace(core(&self.value, "a Namespace", place)?),
        })
    }
}

/// An object of one of Kubernetes' own kinds. A field that is invalid is not quoted, because the object may be a
/// Secret.
fn core<T: DeserializeOwned>(value: &Value, kind: &str, place: &Place) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let quotes = without_quotes(value, &error.path().to_string());
        Error::Field {
            place: place.clone(),
            field: error.path().to_string(),
            problem: format!(
                "this does not fit the schema of {kind}{}",
                quotes.map(|quotes| format!(": {quotes}")).unwrap_or_default()
            ),
        }
    })
}

/// The message about a number or a word at a path where something else is expected, usually a string.
fn without_quotes(object: &Value, path: &str) -> Option<String> {
    let found = match at(object, path)? {
        Value::Number(_) => "a number",
        Value::Bool(_) => "a truth value",
        _ => return None,
    };
    Some(format!("without quotes it is {found} in YAML; put it in quotes, if it is text"))
}

/// The value at a path such as `spec.data[0].secretKey`; keys may contain dots.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(value);
    }
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let rest = path.strip_prefix(name.as_str())?;
            match rest.strip_prefix('.') {
                Some(rest) => at(field, rest),
                None if rest.is_empty() || rest.starts_with('[') => at(field, rest),
                None => None,
            }
        }),
        Value::Array(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            at(items.get(index.parse::<usize>().ok()?)?, rest.strip_prefix('.').unwrap_or(rest))
        }
        _ => None,
    }
}

fn external_secret(value: Value, place: &Place) -> Result<ExternalSecret, Error> {
    static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::external_secret_schema);
    let written = value.clone();
    let object: ExternalSecret = ours(value, &SCHEMA, place)?;
    readable(&object.spec, Some(&written), place)?;
    Ok(object)
}

fn cluster_external_secret(value: Value, place: &Place) -> Result<ClusterExternalSecret, Error> {
    static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::cluster_external_secret_schema);
    let object: ClusterExternalSecret = ours(value, &SCHEMA, place)?;
    readable(&object.spec, None, place)?;
    Ok(object)
}

fn push_secret(value: Value, place: &Place) -> Result<PushSecret, Error> {
    static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::push_secret_schema);
    let written = value.clone();
    let object: PushSecret = ours(value, &SCHEMA, place)?;
    readable(&object.spec, Some(&written), place)?;
    Ok(object)
}

fn cluster_push_secret(value: Value, place: &Place) -> Result<ClusterPushSecret, Error> {
    static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::cluster_push_secret_schema);
    let object: ClusterPushSecret = ours(value, &SCHEMA, place)?;
    readable(&object.spec, None, place)?;
    Ok(object)
}

/// Checks that a spec can be read. With the manifest as written, the error says where quotes are missing.
fn readable<T: DeserializeOwned>(spec: &Parsed<T>, written: Option<&Value>, place: &Place) -> Result<(), Error> {
    spec.get().map(drop).map_err(|field| Error::Field {
        place: place.clone(),
        field: field.path.clone(),
        problem: written
            .and_then(|written| without_quotes(written, &field.path))
            .unwrap_or_else(|| field.problem.clone()),
    })
}

fn store(value: Value, place: &Place) -> Result<SecretStore, Error> {
    static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::store_schema);
    let object: SecretStore = ours(value, &SCHEMA, place)?;
    object.spec.get().map_err(|field| Error::Field {
        place: place.clone(),
        field: field.path.clone(),
        // A store of the fake provider contains values.
        problem: if field.path.starts_with("spec.provider.fake") {
            "this does not fit the schema of a store".to_owned()
        } else {
            field.problem.clone()
        },
    })?;
    Ok(object)
}

/// An object of one of our kinds, with the defaults that the API server would set.
fn ours<T: DeserializeOwned>(mut value: Value, schema: &JSONSchemaProps, place: &Place) -> Result<T, Error> {
    if let Some(field) = unknown_field(&value, schema) {
        return Err(Error::Unknown { place: place.clone(), field });
    }
    fill_defaults(&mut value, schema);
    core(&value, "this kind", place)
}
