//! `doctor --probe`: asks Entra ID and the vaults from here.

use super::finding::{Check, Finding};
use crate::api::v1::{SecretStore, StoreKind};
use crate::cli::person::{Cluster, explanation, vaults};
use crate::cli::preview::AzureIdentity;
use crate::cli::providers::ProviderArguments;
use crate::controller::core::api_call::ApiError;
use crate::controller::store_access::clients;
use crate::controller::store_access::key::StoreKey;
use crate::provider::{Caller, ProviderError, Providers, Verdict};

const PROBE: Check = Check::new("probe", "probe");

pub(super) async fn look(
    cluster: &Cluster,
    stores: &Result<Vec<(StoreKey, SecretStore)>, (StoreKind, ApiError)>,
    identity: AzureIdentity,
    arguments: &ProviderArguments,
) -> Result<Vec<Finding>, vaults::Error> {
    let Ok(stores) = stores else { return Ok(Vec::new()) };
    let (_, providers) = vaults::of_person(cluster, "", identity, arguments)?;
    let mut findings = Vec::new();
    for (key, store) in stores {
        let finding = match asked(&providers, key, store).await {
            Ok(()) => PROBE.ok(format!("{key}: its vault answers, asked from here")),
            Err(error) => {
                let see = "docs/troubleshooting.md";
                let finding = PROBE.failed(format!("{key}, asked from here: {error}"), "See the message.", see);
                finding.explained(explanation::of(Some(error.cause), ""))
            }
        };
        findings.push(finding.about(key.kind.name(), &key.object.namespace, &key.object.name));
    }
    Ok(findings)
}

async fn asked(providers: &Providers, key: &StoreKey, store: &SecretStore) -> Result<(), ProviderError> {
    // Its condition already reports an unreadable spec.
    let Ok(spec) = store.spec.get() else { return Ok(()) };
    let client = providers.of(spec)?.client(clients::view(key, spec), Caller::StoreValidation).await?;
    match client.validate().await.verdict {
        Verdict::Valid => Ok(()),
        Verdict::Invalid(error) | Verdict::Unknown(error) => Err(error),
    }
}
