//! Checks of a store's text alone, without a request: for the webhook, the command line and the controllers alike.

use super::Options;
use super::cloud::Cloud;
use super::diagnose::Diagnosis;
use super::endpoint::VaultEndpoint;
use super::identity;
use super::principal::ServicePrincipal;
use crate::api::v1::secret_store::{AzureAuthType, AzureKvProvider};
use crate::provider::{ProviderError, StoreView};

/// What the fields of a store say of its cloud and vault.
pub(super) struct Checked {
    /// Its cloud.
    pub(super) cloud: Cloud,
    /// Its vault.
    pub(super) endpoint: VaultEndpoint,
}

/// Checks a store that uses Key Vault.
///
/// # Errors
/// The first field that cannot be right.
pub fn store(view: &StoreView<'_>, store: &AzureKvProvider, options: &Options) -> Result<(), ProviderError> {
    check(view, store, options).map(drop).map_err(ProviderError::from)
}

pub(super) fn check(view: &StoreView<'_>, store: &AzureKvProvider, options: &Options) -> Result<Checked, Diagnosis> {
    identity::check_namespaces(view, store)?;
    if store.auth_type == AzureAuthType::ServicePrincipal {
        ServicePrincipal::of(store)?;
    }
    let cloud = Cloud::of_store(view.kind, store, options)?;
    let endpoint = VaultEndpoint::parse(&store.vault_url, &cloud)?;
    Ok(Checked { cloud, endpoint })
}
