//! Reads from the cluster what identities are made from. Equal reads of credentials are joined, so that a wave of
//! ExternalSecrets for one store costs a single read. Service accounts are not joined: the reader has a watch of them,
//! and a changed annotation must take effect at once.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::coalesce::Coalescer;
use super::diagnose::{Cause, Diagnosis, text};
use crate::provider::shares::Shares;
use crate::provider::{ClusterReadError, ClusterReader, CredentialValue, Freshness, ServiceAccount};

/// Namespace, name and key.
type NameAndKey = [String; 3];

/// The longest time for which a credential answers equal reads.
const LONGEST_KEPT: Duration = Duration::from_secs(2);

/// Far more than an ID, a client secret, or a certificate with its chain and key needs.
const LARGEST: usize = 64 << 10;

/// How many Secrets with credentials are read concurrently, at most half of them for one namespace. A Secret may have
/// several MiB.
const AT_ONCE: usize = 16;

/// How long a read waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// A [`ClusterReader`] whose errors are diagnoses.
pub(super) struct Cluster {
    reader: Arc<dyn ClusterReader>,
    credentials: Coalescer<NameAndKey, CredentialValue>,
    places: Arc<Shares>,
}

impl Cluster {
    /// Keeps credentials for `keep`, but not so long that a rotated one takes effect late.
    pub(super) fn new(reader: Arc<dyn ClusterReader>, keep: Duration) -> Self {
        Self { reader, credentials: Coalescer::new(keep.min(LONGEST_KEPT)), places: Shares::new(AT_ONCE) }
    }

    /// A service account, which must exist.
    pub(super) async fn service_account(&self, namespace: &str, name: &str) -> Result<ServiceAccount, Diagnosis> {
        let account = self.reader.service_account(namespace, name).await.map_err(|error| diagnosis(&error))?;
        account.ok_or_else(|| {
            Diagnosis::new(
                Cause::ServiceAccountMissing,
                format!("ServiceAccount \"{name}\" in namespace \"{namespace}\" does not exist"),
            )
            .hint("create it, or correct the serviceAccountRef that names it")
        })
    }

    /// A token of a service account, which is never kept.
    pub(super) async fn token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, Diagnosis> {
        self.reader.service_account_token(namespace, name, audiences).await.map_err(|error| diagnosis(&error))
    }

    /// A credential in a key of a Secret.
    pub(super) async fn credential(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<CredentialValue, Diagnosis> {
        let (reader, places) = (Arc::clone(&self.reader), Arc::clone(&self.places));
        let id = [namespace.to_owned(), name.to_owned(), key.to_owned()];
        let [namespace, name, key] = id.clone();
        let read = |_| async move {
            let place = places.take_within(&namespace.as_str().into(), 1, PATIENCE).await;
            let _place = place.ok_or_else(|| {
                Diagnosis::new(
                    Cause::ClusterUnavailable,
                    "too many credentials are being read at once; the controller retries",
                )
            })?;
            let read = reader.secret_key(&namespace, &name, &key).await.map_err(|error| diagnosis(&error))?;
            let length = read.value.expose_secret().len();
            if length > LARGEST {
                let message =
                    format!("key \"{key}\" of Secret \"{name}\" in namespace \"{namespace}\" has {length} bytes");
                let hint = format!("put only the credential there; it has at most {LARGEST} bytes");
                return Err(Diagnosis::new(Cause::IdentityIncomplete, message).hint(hint));
            }
            Ok(read)
        };
        self.credentials.read(id, Freshness::Shared, read).await.0
    }
}

fn diagnosis(error: &ClusterReadError) -> Diagnosis {
    let message = text::stable(&error.to_string());
    match error {
        ClusterReadError::NotFound { .. } => {
            Diagnosis::new(Cause::CredentialMissing, message).hint("create it, or correct the reference to it")
        }
        ClusterReadError::Forbidden { .. } => Diagnosis::new(Cause::ClusterForbidden, message),
        ClusterReadError::Unavailable { .. } => Diagnosis::new(Cause::ClusterUnavailable, message),
    }
}
