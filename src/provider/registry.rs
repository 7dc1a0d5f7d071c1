//! The providers that are served.

use std::sync::Arc;

use super::{Class, Provider, ProviderError};
use crate::api::v1::secret_store::SecretStoreSpec;

/// The providers that are served, each once for all stores.
#[derive(Clone)]
pub struct Providers {
    /// Azure Key Vault.
    pub azurekv: Arc<dyn Provider>,
    /// Values written in the store itself.
    pub fake: Arc<dyn Provider>,
}

impl Providers {
    /// The provider of a store.
    ///
    /// # Errors
    /// Where the store names none, several, or one that is not served.
    pub fn of(&self, spec: &SecretStoreSpec) -> Result<&dyn Provider, ProviderError> {
        let provider = &spec.provider;
        match (provider.azurekv.is_some(), provider.fake.is_some(), provider.others.keys().next()) {
            (true, false, None) => Ok(self.azurekv.as_ref()),
            (false, true, None) => Ok(self.fake.as_ref()),
            (false, false, Some(name)) => Err(invalid_store(
                "ProviderNotServed",
                format!("spec.provider.{name} is not served by this controller"),
                "the providers served are azurekv and fake; leave this store to the controller that serves it by setting spec.controller",
            )),
            (false, false, None) => Err(invalid_store(
                "ProviderMissing",
                "spec.provider names no provider".to_owned(),
                "set spec.provider.azurekv",
            )),
            _ => Err(invalid_store(
                "ProviderAmbiguous",
                "spec.provider names more than one provider".to_owned(),
                "keep one of them and make a store for each other",
            )),
        }
    }
}

fn invalid_store(cause: &'static str, message: String, hint: &str) -> ProviderError {
    ProviderError { class: Class::InvalidStore, cause, message, hint: Some(hint.to_owned()), retry_after: None }
}
