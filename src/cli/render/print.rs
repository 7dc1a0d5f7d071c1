//! Printing the Secret that an ExternalSecret gives.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Map, Value, json};

use crate::api::ServedVersion;
use crate::api::v1::ExternalSecret;
use crate::cli::preview::Preview;
use crate::cli::redaction::{Metadata, Redactor, Shown, Values};
use crate::sync::plan::{Plan, TargetSecret};
use crate::sync::target::Owner;

/// What of the metadata is of no use before there is a cluster.
const OF_A_CLUSTER: [&str; 6] =
    ["ownerReferences", "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"];

/// Why nothing could be printed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// It cannot be written as YAML.
    #[error("the Secret cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
    /// The output is closed.
    #[error("the Secret cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}

/// Prints the Secret as a YAML document, or says why there is none.
pub(super) fn secret(preview: &Preview, object: &ExternalSecret, redactor: &Redactor) -> Result<(), Error> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let secret = match (&preview.plan, &preview.existing) {
        (Plan::Create(secret) | Plan::Update(secret), _) => Some(secret.as_ref()),
        (Plan::Unchanged, existing) => existing.as_ref(),
        _ => None,
    };
    let text = match (secret.map(TargetSecret::object), object.spec.get()) {
        (Some(secret), Ok(spec)) => {
            let owner = Owner { meta: &object.metadata, spec, version: ServedVersion::V1 };
            let manifest = manifest(secret, owner, redactor);
            format!("---\n# ExternalSecret {name:?}\n{}", serde_saphyr::to_string(&manifest)?)
        }
        _ => format!("---\n# ExternalSecret {name:?}: {}\n", preview.plan.statement().message),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn manifest(secret: &Secret, owner: Owner<'_>, redactor: &Redactor) -> Value {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.clone(), shown(&value.0, redactor)));
    let mut meta = serde_json::to_value(&secret.metadata).unwrap_or_default();
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
    let mut manifest = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
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
