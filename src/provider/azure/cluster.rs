//! What identities are made from, read from the cluster. Equal reads of credentials are joined, so that a wave of
//! ExternalSecrets on one store costs one. Service accounts are not: the reader watches them, and a changed annotation
//! must count at once.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::coalesce::Coalescer;
use super::diagnose::{Cause, Diagnosis, text};
use crate::provider::{ClusterReadError, ClusterReader, CredentialValue, Freshness, ServiceAccount};

/// Namespace, name and key.
type NameAndKey = [String; 3];

/// How long a credential serves equal reads at most.
const LONGEST_KEPT: Duration = Duration::from_secs(2);

/// A [`ClusterReader`] whose errors are diagnoses.
pub(super) struct Cluster {
    reader: Arc<dyn ClusterReader>,
    credentials: Coalescer<NameAndKey, CredentialValue>,
}

impl Cluster {
    /// Credentials are kept for `keep`, but not so long that a rotated one would not take effect at once.
    pub(super) fn new(reader: Arc<dyn ClusterReader>, keep: Duration) -> Self {
        Self { reader, credentials: Coalescer::new(keep.min(LONGEST_KEPT)) }
    }

    /// A service account that must be there.
    pub(super) async fn service_account(&self, namespace: &str, name: &str) -> Result<ServiceAccount, Diagnosis> {
        let account = self.reader.service_account(namespace, name).await.map_err(|error| diagnosis(&error))?;
        account.ok_or_else(|| {
            Diagnosis::new(
                Cause::ServiceAccountMissing,
                format!("ServiceAccount \"{name}\" in namespace \"{namespace}\" does not exist"),
            )
            .hint("create it, or correct azurekv.serviceAccountRef of the store")
        })
    }

    /// A token of a service account; never kept.
    pub(super) async fn token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, Diagnosis> {
        self.reader.service_account_token(namespace, name, audiences).await.map_err(|error| diagnosis(&error))
    }

    /// A key of a Secret that holds a credential.
    pub(super) async fn credential(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<CredentialValue, Diagnosis> {
        let reader = Arc::clone(&self.reader);
        let id = [namespace.to_owned(), name.to_owned(), key.to_owned()];
        let [namespace, name, key] = id.clone();
        let read =
            |_| async move { reader.secret_key(&namespace, &name, &key).await.map_err(|error| diagnosis(&error)) };
        self.credentials.read(id, Freshness::Shared, read).await.0
    }
}

fn diagnosis(error: &ClusterReadError) -> Diagnosis {
    let message = text::stable(&error.to_string());
    match error {
        ClusterReadError::NotFound { .. } => {
            Diagnosis::new(Cause::CredentialMissing, message).hint("create it, or correct the store's reference to it")
        }
        ClusterReadError::Forbidden { .. } => Diagnosis::new(Cause::ClusterForbidden, message),
        ClusterReadError::Unavailable { .. } => Diagnosis::new(Cause::ClusterUnavailable, message),
    }
}
