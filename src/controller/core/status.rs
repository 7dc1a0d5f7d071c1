//! Writes statuses, and remembers each until the watch shows it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api_call::{ApiError, bounded};
use super::kept_fields::KeptFields;
use crate::answers::Objects;
use crate::api::ANNOTATION_REFRESH;

/// The result of writing a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Stored,
    /// The object is gone, or another one has its name.
    Gone,
}

/// Writes the status of the object with this name and UID as a merge patch: a `null` removes a field. Without the UID,
/// the patch might reach another object of the same name. `kept` learns from the answer which fields were stored.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn write<K: Resource>(
    api: &Objects<K>,
    name: &str,
    uid: Option<&str>,
    status: &Value,
    kept: &KeptFields,
) -> Result<Written, ApiError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        status: Value,
    }
    let patch = Patch::Merge(json!({ "metadata": { "uid": uid }, "status": status }));
    match bounded(api.patch_status::<_, Answer>(name, &PatchParams::default(), &patch)).await {
        Ok(answer) => {
            kept.learn(status, &answer.status);
            Ok(Written::Stored)
        }
        Err(error) if error.code() == Some(404) => Ok(Written::Gone),
        Err(error) => Err(error),
    }
}

/// The longest value of [`ANNOTATION_REFRESH`] that a status repeats. Programs that request a refresh use a time.
const LONGEST_REFRESH: usize = 64;

/// The value with which a refresh of an object was requested, in the form that its status repeats when the refresh is
/// over: one short line, or nothing.
#[must_use]
pub(crate) fn handled_refresh(meta: &ObjectMeta) -> Option<String> {
    let asked = meta.annotations.as_ref()?.get(ANNOTATION_REFRESH)?;
    (asked.len() <= LONGEST_REFRESH && !asked.contains(char::is_control)).then(|| asked.clone())
}

/// A status as a merge patch over the stored one: removes what only the stored one has, and of the fields in `optional`
/// what may be stored by now.
#[must_use]
pub(crate) fn patch<S: Serialize>(stored: Option<&S>, wanted: &S, optional: &[&str]) -> Value {
    let mut removed: Map<_, _> = optional.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    if let Ok(Value::Object(fields)) = serde_json::to_value(stored) {
        removed.extend(fields.into_iter().map(|(name, _)| (name, Value::Null)));
    }
    let mut patch = Value::Object(removed);
    if let (Value::Object(patch), Ok(Value::Object(fields))) = (&mut patch, serde_json::to_value(wanted)) {
        patch.extend(fields);
    }
    patch
}

/// The status written on top of a resourceVersion, kept while the watch still shows that version. A pass that started
/// from the watched status would repeat work that is done already.
#[derive(Clone, Debug)]
pub(crate) struct Ahead<S>(Option<(String, S)>);

impl<S> Default for Ahead<S> {
    fn default() -> Self {
        Self(None)
    }
}

impl<S: Clone> Ahead<S> {
    /// A status was written to an object that the watch shows at `base`.
    pub(crate) fn wrote(&mut self, base: Option<&str>, status: &S) {
        self.0 = Some((base.unwrap_or_default().to_owned(), status.clone()));
    }

    /// The watch shows this version.
    pub(crate) fn shown(&mut self, resource_version: Option<&str>) {
        if self.0.as_ref().is_some_and(|(base, _)| Some(base.as_str()) != resource_version) {
            self.0 = None;
        }
    }

    /// The status that was written on top of this version, if any.
    #[must_use]
    pub(crate) fn on(&self, resource_version: Option<&str>) -> Option<&S> {
        // No two objects have the same resourceVersion.
        self.0.as_ref().filter(|(base, _)| Some(base.as_str()) == resource_version).map(|(_, status)| status)
    }
}
