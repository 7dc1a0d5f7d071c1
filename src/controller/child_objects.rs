//! What the controllers of ClusterExternalSecrets and ClusterPushSecrets share: both create an object in each of many
//! namespaces, replace it when it differs, and delete it when it is no longer wanted.
//!
//! Each write applies to the version that was decided on. If another writer was faster, nothing is written: the watch will
//! show what that writer wrote.

use std::time::Duration;

use kube::api::{DeleteParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::DynamicObject;

use super::core::api_call::{ApiError, bounded};
use crate::answers::Objects;
use crate::api::{FIELD_MANAGER, GoDuration};

/// The default of `spec.refreshTime`.
const DEFAULT_REFRESH_TIME: GoDuration = GoDuration::from_secs(3600);
/// The shortest `refreshTime` that is respected. More often costs time and finds nothing, since the watches report every
/// change at once.
const SHORTEST_REFRESH_TIME: Duration = Duration::from_secs(10);

/// How often all namespaces are compared again, by `spec.refreshTime`; `None` for never. An invalid duration counts as
/// absent.
#[must_use]
pub(crate) fn refresh_time(given: Option<&str>) -> Option<Duration> {
    let given = given.and_then(|text| text.parse::<GoDuration>().ok());
    given.unwrap_or(DEFAULT_REFRESH_TIME).positive().map(|time| time.max(SHORTEST_REFRESH_TIME))
}

/// The result of creating an object.
pub(crate) enum Created {
    /// It exists in this form.
    Stored(Box<DynamicObject>),
    /// There is one of this name, which the watch does not show yet.
    Taken,
    /// The namespace is gone or being deleted.
    NoNamespace,
}

/// Creates an object.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn create(api: &Objects<DynamicObject>, object: &DynamicObject) -> Result<Created, ApiError> {
    match bounded(api.create(&as_field_manager(), object)).await {
        Ok(object) => Ok(Created::Stored(Box::new(object))),
        Err(error) if error.code() == Some(409) => Ok(Created::Taken),
        Err(error) if error.code() == Some(404) || is_terminating(&error) => Ok(Created::NoNamespace),
        Err(error) => Err(error),
    }
}

/// Whether the API server refused to create an object because the namespace is being deleted.
fn is_terminating(error: &ApiError) -> bool {
    let ApiError::Kube(kube::Error::Api(status)) = error else { return false };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    status.code == 403 && causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// Replaces the version of an object that its metadata names. Returns the stored object, or `None` if that version is no
/// longer the newest, or the object is gone.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn replace(
    api: &Objects<DynamicObject>,
    object: &DynamicObject,
) -> Result<Option<Box<DynamicObject>>, ApiError> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match bounded(api.replace(name, &as_field_manager(), object)).await {
        Ok(object) => Ok(Some(Box::new(object))),
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The result of deleting an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It is gone, or will be when its finalizers are.
    Done,
    /// The preconditions do not hold.
    Conflict,
}

/// Deletes the object that fulfills the preconditions. `dependents` says what happens to the objects that it owns.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn delete(
    api: &Objects<DynamicObject>,
    name: &str,
    preconditions: Preconditions,
    dependents: PropagationPolicy,
) -> Result<Deleted, ApiError> {
    let params = DeleteParams {
        preconditions: Some(preconditions),
        propagation_policy: Some(dependents),
        ..DeleteParams::default()
    };
    match bounded(api.delete(name, &params)).await {
        Ok(()) => Ok(Deleted::Done),
        Err(error) if error.code() == Some(404) => Ok(Deleted::Done),
        Err(error) if error.code() == Some(409) => Ok(Deleted::Conflict),
        Err(error) => Err(error),
    }
}

fn as_field_manager() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}
