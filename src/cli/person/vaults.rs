//! Reads vaults for a person, with that person's rights in the cluster.

use std::sync::Arc;

use super::Cluster;
use crate::cli::inputs::cluster::Cluster as Read;
use crate::cli::inputs::{Inputs, manifests, values};
use crate::cli::preview::AzureIdentity;
use crate::cli::providers::{self, ProviderArguments};
use crate::provider::Providers;

/// Why vaults cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Providers(#[from] providers::Error),
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    #[error(transparent)]
    Values(#[from] values::Error),
}

/// What is read from the cluster, and the providers that read vaults.
pub(in crate::cli) fn of_person(
    cluster: &Cluster,
    namespace: &str,
    identity: AzureIdentity,
    arguments: &ProviderArguments,
) -> Result<(Arc<Inputs>, Providers), Error> {
    let read = Read::new(cluster.client.clone(), Some(cluster.version));
    let inputs = Arc::new(Inputs::new(manifests::Manifests::read(&[], namespace)?, None, Some(read))?);
    let providers = providers::of_person(arguments, identity.into(), Arc::clone(&inputs) as _)?;
    Ok((inputs, providers))
}
