//! Prints the target that an ExternalSecret produces, and the objects that a PushSecret asks for.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::api::ServedVersion;
use crate::api::v1::ExternalSecret;
use crate::api::v1alpha1::PushSecret;
use crate::cli::preview::Preview;
use crate::cli::redaction::{Metadata, Redactor, Shown, Values};
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::destination::Existing;
use crate::controller::push_secret::preview::Objects;
use crate::sync::plan::Plan;
use crate::sync::target::Owner;

/// Metadata that is meaningless without a cluster.
const OF_A_CLUSTER: [&str; 6] =
    ["ownerReferences", "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"];

/// Why nothing could be printed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// It cannot be written as YAML.
    #[error("the Secret cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
    #[error("the Secret cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}

/// What an ExternalSecret gives.
pub(super) struct Rendered {
    external_secret: ObjectKey,
    /// The target; none where there is none.
    manifest: Option<Value>,
    /// Why there is none.
    message: String,
}

impl Rendered {
    /// As a YAML document, or as a comment that says why there is none.
    pub(super) fn yaml(&self) -> Result<String, Error> {
        let name = &self.external_secret.name;
        Ok(match &self.manifest {
            Some(manifest) => format!("---\n# ExternalSecret {name:?}\n{}", serde_saphyr::to_string(manifest)?),
            None => format!("---\n# ExternalSecret {name:?}: {}\n", self.message),
        })
    }

    fn document(&self) -> Value {
        json!({
            "externalSecret": {"namespace": self.external_secret.namespace, "name": self.external_secret.name},
            "manifest": self.manifest,
            "message": self.message,
        })
    }
}

/// The objects that a PushSecret asks for.
pub(super) struct Pushed {
    push_secret: ObjectKey,
    objects: Vec<Value>,
}

impl Pushed {
    /// Each object as a YAML document.
    pub(super) fn yaml(&self) -> Result<String, Error> {
        let name = &self.push_secret.name;
        let document = |object| Ok(format!("---\n# PushSecret {name:?}\n{}", serde_saphyr::to_string(object)?));
        self.objects.iter().map(document).collect()
    }

    fn document(&self) -> Value {
        json!({
            "pushSecret": {"namespace": self.push_secret.namespace, "name": self.push_secret.name},
            "objects": self.objects,
        })
    }
}

/// All that was rendered, for programs.
pub(super) fn document(rendered: &[Rendered], pushed: &[Pushed]) -> Value {
    json!({
        "version": 1,
        "rendered": rendered.iter().map(Rendered::document).collect::<Vec<_>>(),
        "pushed": pushed.iter().map(Pushed::document).collect::<Vec<_>>(),
    })
}

/// Prints a text.
pub(super) fn print(text: &str) -> Result<(), Error> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// What an ExternalSecret gives; nothing where its spec cannot be read, which has no preview.
pub(super) fn rendered(preview: &Preview, object: &ExternalSecret, redactor: &Redactor) -> Option<Rendered> {
    let spec = object.spec.get().ok()?;
    let owner = Owner::new(&object.metadata, spec, ServedVersion::V1);
    let of_object = |object: &DynamicObject| object_manifest(object, owner, redactor);
    let manifest = match (&preview.plan, &preview.existing) {
        (Plan::Create(secret) | Plan::Update(secret), _) | (Plan::Unchanged, Some(Existing::Secret(secret))) => {
            Some(manifest(secret.object(), owner, redactor))
        }
        (Plan::CreateObject(object) | Plan::UpdateObject(object), _)
        | (Plan::Unchanged, Some(Existing::Object(object))) => Some(of_object(object.object())),
        _ => None,
    };
    let message = match &manifest {
        Some(_) => String::new(),
        None => preview.plan.statement(owner).message.to_owned(),
    };
    Some(Rendered { external_secret: ObjectKey::of(&object.metadata), manifest, message })
}

/// The objects that a PushSecret asks for.
pub(super) fn pushed(objects: &Objects, push_secret: &PushSecret, redactor: &Redactor) -> Pushed {
    let objects = objects.each().map(|(store, remote, wanted)| {
        let value = match redactor.value(wanted.value.expose_secret()) {
            Shown::Text(text) => text.into(),
            shown @ (Shown::Redacted { .. } | Shown::Base64(_)) => redacted_or_base64(&shown),
        };
        let mut manifest = json!({
            "store": { "kind": store.kind.name(), "name": store.object.name },
            "vault": remote.vault,
            "object": remote.name.as_written(),
            "value": value,
            "tags": wanted.tags,
        });
        if let Some(content_type) = &wanted.content_type {
            manifest["contentType"] = content_type.as_str().into();
        }
        if let Some(expires) = wanted.expires.and_then(|expires| Timestamp::from_second(expires).ok()) {
            manifest["expires"] = expires.to_string().into();
        }
        manifest
    });
    Pushed { push_secret: ObjectKey::of(&push_secret.metadata), objects: objects.collect() }
}

fn redacted_or_base64(shown: &Shown) -> Value {
    match shown {
        Shown::Redacted { .. } => redacted_text(shown),
        _ => shown.in_line().into(),
    }
}

/// An object that is not a Secret. Any scalar in it may be derived from a secret.
fn object_manifest(object: &DynamicObject, owner: Owner<'_>, redactor: &Redactor) -> Value {
    let mut manifest = object.data.clone();
    if let Some(fields) = manifest.as_object_mut() {
        fields.remove("status");
    }
    if redactor.values() == Values::Redacted {
        redact(&mut manifest, redactor);
    }
    if let Some(types) = &object.types {
        manifest["apiVersion"] = types.api_version.clone().into();
        manifest["kind"] = types.kind.clone().into();
    }
    manifest["metadata"] = metadata(&object.metadata, owner, redactor);
    manifest
}

/// Replaces all scalars by what may be printed of them.
fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|field| redact(field, redactor)),
        Value::Null => {}
        Value::String(text) => *value = redacted_text(&redactor.value(text.as_bytes())),
        Value::Bool(_) | Value::Number(_) => {
            *value = redacted_text(&redactor.value(value.to_string().as_bytes()));
        }
    }
}

fn metadata(meta: &ObjectMeta, owner: Owner<'_>, redactor: &Redactor) -> Value {
    let mut meta = serde_json::to_value(meta).unwrap_or_default();
    if let Some(meta) = meta.as_object_mut() {
        meta.retain(|field, _| !OF_A_CLUSTER.contains(&field.as_str()));
    }
    for (field, part) in [("labels", Metadata::Labels), ("annotations", Metadata::Annotations)] {
        for (key, value) in meta[field].as_object_mut().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            if let redacted @ Shown::Redacted { .. } = redactor.metadata(part, key, text, owner) {
                *value = redacted_text(&redacted);
            }
        }
    }
    meta
}

fn manifest(secret: &Secret, owner: Owner<'_>, redactor: &Redactor) -> Value {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.clone(), shown(&value.0, redactor)));
    let mut manifest = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(&secret.metadata, owner, redactor),
        "type": secret.type_.as_deref().unwrap_or("Opaque"),
        "data": data.collect::<Map<_, _>>(),
    });
    if let Some(immutable) = secret.immutable {
        manifest["immutable"] = immutable.into();
    }
    manifest
}

fn shown(value: &[u8], redactor: &Redactor) -> Value {
    match redactor.values() {
        Values::Shown => STANDARD.encode(value).into(),
        Values::Redacted => redacted_text(&redactor.value(value)),
    }
}

fn redacted_text(redacted: &Shown) -> Value {
    format!("REDACTED {}", redacted.in_line()).into()
}
