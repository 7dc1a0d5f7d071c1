//! The supported providers.

use std::sync::Arc;

use super::{Class, Provider, ProviderError, Registries, ValueMemory};
use crate::api::v1::secret_store::{AzureKvProvider, FakeProvider, SecretStoreSpec};

/// The cause of the error for a store that names an unsupported provider.
pub const NOT_SERVED: &str = "ProviderNotServed";

/// The supported providers, each once for all stores.
#[derive(Clone)]
pub struct Providers {
    /// Azure Key Vault.
    pub azurekv: Arc<dyn Provider>,
    /// Values in the store itself.
    pub fake: Arc<dyn Provider>,
    /// Tokens of container registries.
    pub registries: Arc<dyn Registries>,
    /// The memory that everything they read is charged to.
    pub memory: ValueMemory,
}

impl Providers {
    /// The provider of a store.
    ///
    /// # Errors
    /// If the store names no provider, several, or an unsupported one.
    pub fn of(&self, spec: &SecretStoreSpec) -> Result<&dyn Provider, ProviderError> {
        Ok(match served(spec)? {
            Served::AzureKv(_) => self.azurekv.as_ref(),
            Served::Fake(_) => self.fake.as_ref(),
        })
    }
}

/// The part of a store that describes its provider.
#[derive(Clone, Copy, Debug)]
pub enum Served<'a> {
    /// Azure Key Vault.
    AzureKv(&'a AzureKvProvider),
    /// Values in the store itself.
    Fake(&'a FakeProvider),
}

/// The provider that a store names.
///
/// # Errors
/// If the store names no provider, several, or an unsupported one.
pub fn served(spec: &SecretStoreSpec) -> Result<Served<'_>, ProviderError> {
    let provider = &spec.provider;
    match (&provider.azurekv, &provider.fake, provider.others.keys().next()) {
        (Some(azurekv), None, None) => Ok(Served::AzureKv(azurekv)),
        (None, Some(fake), None) => Ok(Served::Fake(fake)),
        (None, None, Some(name)) => Err(invalid_store(
            NOT_SERVED,
            format!("spec.provider.{name} is not served by this controller"),
            "the providers served are azurekv and fake; leave this store to the controller that serves it by setting spec.controller",
        )),
        (None, None, None) => Err(invalid_store(
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

fn invalid_store(cause: &'static str, message: String, hint: &str) -> ProviderError {
    ProviderError::new(Class::InvalidStore, cause, message).with_hint(hint)
}
