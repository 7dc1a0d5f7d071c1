//! Values from a file, in the place of what the stores hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::api::v1::secret_store::{FakeProvider, FakeProviderData};
use crate::api::v1::{SecretStore, SecretStoreSpec};

/// Why the values cannot be read. Quotes none of them.
#[derive(Debug, thiserror::Error)]
#[error("--values={path}{}: {problem}", .line.map(|line| format!(", line {line}")).unwrap_or_default(), path = path.display())]
pub(in crate::cli) struct Error {
    path: PathBuf,
    line: Option<u64>,
    problem: String,
}

/// Reads a YAML mapping of `remoteRef.key` to value, as a store that holds them. A value that is no text is taken as its
/// JSON.
pub(super) fn read(path: &Path) -> Result<Arc<SecretStore>, Error> {
    let invalid = |line, problem: &str| Error { path: path.to_owned(), line, problem: problem.to_owned() };
    let text = std::fs::read_to_string(path).map_err(|error| invalid(None, &error.to_string()))?;
    let values: Map<String, Value> = serde_saphyr::from_str(&text).map_err(|error| {
        invalid(error.location().map(|location| location.line()), "this is no YAML mapping of keys to values")
    })?;
    let data = values.into_iter().map(|(key, value)| match value {
        Value::Null => Err(invalid(None, &format!("{key:?} has no value"))),
        Value::String(value) => Ok(FakeProviderData { key, value, version: None }),
        other => Ok(FakeProviderData { key, value: other.to_string(), version: None }),
    });
    let data = data.collect::<Result<_, _>>()?;
    let mut spec = SecretStoreSpec::default();
    spec.provider.fake = Some(Arc::new(FakeProvider { data, validation_result: None }));
    Ok(Arc::new(SecretStore { spec: spec.into(), ..SecretStore::default() }))
}
