//! Printing what an ExternalSecret gives.

use std::fmt::Write as _;
use std::io::Write as _;

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use sha3::{Digest, Sha3_256};

use crate::api::v1::ExternalSecret;
use crate::sync::plan::Plan;

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

/// What is printed of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Values {
    /// Their length, and the beginning of their hash.
    #[default]
    Redacted,
    /// Themselves, in base64.
    Shown,
}

/// Prints a plan as a YAML document.
pub(super) fn plan(plan: &Plan, object: &ExternalSecret, values: Values) -> Result<(), Error> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let text = match plan {
        Plan::Create(secret) | Plan::Update(secret) => {
            let manifest = manifest(secret.object(), values);
            format!("---\n# ExternalSecret {name:?}\n{}", serde_saphyr::to_string(&manifest)?)
        }
        other => format!("---\n# ExternalSecret {name:?}: {}\n", other.statement().message),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn manifest(secret: &Secret, values: Values) -> Value {
    let mut manifest = serde_json::to_value(secret).unwrap_or(Value::Null);
    if values == Values::Redacted {
        let data = secret.data.iter().flatten().map(|(key, value)| (key.clone(), redacted(&value.0)));
        manifest["data"] = data.collect::<serde_json::Map<_, _>>().into();
    }
    if manifest["type"].is_null() {
        manifest["type"] = json!("Opaque");
    }
    // Of no use before there is a cluster: they hold the ExternalSecret's UID.
    if let Some(meta) = manifest["metadata"].as_object_mut() {
        meta.remove("ownerReferences");
    }
    manifest
}

/// Enough to see whether two values are equal.
fn redacted(value: &[u8]) -> Value {
    let digest = Sha3_256::digest(value);
    let beginning = digest.iter().take(4).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    json!(format!("REDACTED ({} bytes, sha3-256 {beginning}...)", value.len()))
}
