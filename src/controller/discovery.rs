//! The version in which a cluster serves our resources.

use kube::Client;

use super::context::{ApiError, bounded};
use crate::api::ServedVersion;
use crate::api::v1::ExternalSecret;

/// The version in which the cluster serves our resources, the newest it knows; `None` where the CRDs are not there.
///
/// # Errors
/// [`ApiError`]
pub async fn served_version(client: &Client) -> Result<Option<ServedVersion>, ApiError> {
    for version in [ServedVersion::V1, ServedVersion::V1beta1] {
        match bounded(client.list_api_group_resources(version.api_version())).await {
            Ok(list) if list.resources.iter().any(|resource| resource.name == ExternalSecret::PLURAL) => {
                return Ok(Some(version));
            }
            Ok(_) => {}
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
