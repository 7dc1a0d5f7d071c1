//! Values written in the store itself, to try manifests without a vault.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Caller, Check, Class, Freshness, Provider, ProviderError, SecretValue, SecretsClient, StoreView, Validation,
    Verdict,
};
use crate::api::v1::external_secret::RemoteRef;
use crate::api::v1::secret_store::FakeProvider;

/// Serves the values of `spec.provider.fake`.
#[derive(Clone, Copy, Debug)]
pub struct Fake;

#[async_trait]
impl Provider for Fake {
    async fn client(&self, store: StoreView<'_>, _: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        let values = store.spec.provider.fake.clone().unwrap_or_default();
        Ok(Arc::new(Client(values)))
    }
}

struct Client(FakeProvider);

#[async_trait]
impl SecretsClient for Client {
    async fn get_secret(&self, reference: &RemoteRef, _: Freshness) -> Result<SecretValue, ProviderError> {
        if reference.property.is_some() {
            return Err(error(
                Class::Unsupported,
                "Unsupported",
                "remoteRef.property is not supported by the fake provider yet",
            ));
        }
        let version = reference.version.as_deref().unwrap_or_default();
        let same = |entry: &&crate::api::v1::secret_store::FakeProviderData| {
            entry.key == reference.key && entry.version.as_deref().unwrap_or_default() == version
        };
        let entry = self.0.data.iter().find(same);
        entry.map(|entry| Arc::new(entry.value.clone().into_bytes().into())).ok_or_else(|| {
            error(Class::Absent, "SecretNotFound", "spec.provider.fake.data has no such key and version")
        })
    }

    async fn validate(&self) -> Validation {
        let failed = || error(Class::InvalidStore, "ValidationResult", "spec.provider.fake.validationResult says so");
        let verdict = match self.0.validation_result {
            None | Some(0) => Verdict::Valid,
            Some(1) => Verdict::Unknown(failed()),
            Some(_) => Verdict::Invalid(failed()),
        };
        Validation { verdict, authenticated: Check::Passed, reachable: Check::Passed, authorized: Check::Passed }
    }
}

fn error(class: Class, cause: &'static str, message: &str) -> ProviderError {
    ProviderError { class, cause, message: message.to_owned(), hint: None, retry_after: None }
}
