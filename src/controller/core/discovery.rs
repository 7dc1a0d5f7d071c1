//! Discovers the version in which a cluster serves our resources.

use std::fmt;
use std::time::Duration;

use kube::Client;

use super::api_call::{ApiError, bounded};
use crate::api::{GROUP, ServedVersion};
#[cfg(feature = "processes")]
use crate::runtime::health::Readiness;

/// Interval of discovery while CRDs are missing.
const PAUSE: Duration = Duration::from_secs(2);
/// The same about kinds that nobody waits for.
const PAUSE_WHILE_OPTIONAL: Duration = Duration::from_secs(20);

/// How the cluster serves the requested kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Discovered {
    /// All of them, in this version: the newest in which it serves them all.
    Served(ServedVersion),
    /// Some are missing.
    Lacking(Missing),
}

/// Kinds whose CRDs are missing, or lack the version in which the others are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    plurals: Vec<&'static str>,
    version: ServedVersion,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.plurals.iter().map(|plural| format!("{plural}.{GROUP}")).collect();
        write!(
            formatter,
            "the API server does not serve {} in version {}: apply the files in crds/, or what `external-secrets crds` prints",
            names.join(", "),
            self.version.name()
        )
    }
}

/// The version in which the cluster serves all of these kinds, or the kinds it lacks.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn discover(client: &Client, plurals: &[&'static str]) -> Result<Discovered, ApiError> {
    let mut least = Missing { plurals: plurals.to_vec(), version: ServedVersion::default() };
    for version in [ServedVersion::V1, ServedVersion::V1beta1] {
        let served = match bounded(client.list_api_group_resources(version.api_version())).await {
            Ok(list) => list.resources,
            Err(error) if error.code() == Some(404) => Vec::new(),
            Err(error) => return Err(error),
        };
        let is_missing = |plural: &&str| !served.iter().any(|resource| resource.name == *plural);
        let missing: Vec<_> = plurals.iter().copied().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(Discovered::Served(version));
        }
        if missing.len() < least.plurals.len() {
            least = Missing { plurals: missing, version };
        }
    }
    Ok(Discovered::Lacking(least))
}

/// Whether the cluster serves a kind in a version.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn is_served(client: &Client, api_version: &str, plural: &str) -> Result<bool, ApiError> {
    match bounded(client.list_api_group_resources(api_version)).await {
        Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == plural)),
        Err(error) if error.code() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

fn log_unanswered(error: &ApiError) {
    tracing::warn!(%error, "the API server cannot be asked which resources it serves");
}

/// The same, until the API server answers.
pub(crate) async fn is_served_at_last(client: &Client, api_version: &str, plural: &str) -> bool {
    loop {
        match is_served(client, api_version, plural).await {
            Ok(is_served) => return is_served,
            Err(error) => log_unanswered(&error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the cluster serves all of these kinds in a version. Their CRDs may never be installed, so it asks seldom.
pub(crate) async fn until_served(client: Client, api_version: &'static str, plurals: Vec<&'static str>) {
    for plural in plurals {
        while !is_served_at_last(&client, api_version, plural).await {
            tokio::time::sleep(PAUSE_WHILE_OPTIONAL).await;
        }
    }
}

/// The version in which the cluster serves all of these kinds. Waits until their CRDs are installed.
#[cfg(feature = "processes")]
pub(crate) async fn served_version(client: &Client, plurals: &[&'static str], readiness: &Readiness) -> ServedVersion {
    let mut said = None;
    loop {
        match discover(client, plurals).await {
            Ok(Discovered::Served(version)) => {
                if said.is_some() {
                    readiness.set_not_ready(
                        "the CRDs have just been installed: the watches have not delivered their first list yet",
                    );
                }
                return version;
            }
            Ok(Discovered::Lacking(missing)) if said.as_ref() != Some(&missing) => {
                tracing::error!("{missing}");
                readiness.set_not_ready(missing.to_string());
                said = Some(missing);
            }
            Ok(Discovered::Lacking(_)) => {}
            Err(error) => log_unanswered(&error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
