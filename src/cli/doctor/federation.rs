//! What Entra ID must know of the service accounts that stores name: a federated credential has the issuer, the subject and the audience of
//! their tokens.

use serde::Deserialize;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::api::v1::secret_store::AzureAuthType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::api_call::bounded;
use crate::controller::store_access::key::StoreKey;

const FEDERATION: Check = Check::new("stores", "federation");
/// What Entra ID wants tokens to be for, in all clouds.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Where the API server describes its tokens (OpenID Connect Discovery 1.0).
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// How many subjects to name.
const NAMED: usize = 3;
/// Who issues tokens in a cluster that was never set up for others to verify them.
const INTERNAL: &str = "https://kubernetes.default";

/// What the API server says of its tokens.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

/// Names what must be in federated credentials; nothing where no store names a service account.
pub(super) async fn look(patient: &Patient<'_>, stores: &[(StoreKey, SecretStore)]) -> Option<Finding> {
    let mut subjects: Vec<String> = stores.iter().filter_map(|(key, store)| subject(key, store)).collect();
    subjects.sort();
    subjects.dedup();
    if subjects.is_empty() {
        return None;
    }
    let request = http::Request::get(DISCOVERY).body(Vec::new()).ok()?;
    let discovery: Discovery = match bounded(patient.client.request(request)).await {
        Ok(discovery) => discovery,
        Err(error) => return Some(FEDERATION.skipped("the issuer of tokens", &error)),
    };
    let issuer = discovery.issuer;
    let see = "docs/install.md";
    if issuer.starts_with(INTERNAL) {
        let message = format!("the issuer of service account tokens is {issuer}, which Entra ID cannot reach");
        let remedy = "Give the API server a public issuer (on AKS `az aks update --enable-oidc-issuer`).";
        return Some(FEDERATION.warning(message, remedy, see));
    }
    let more = match subjects.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = subjects.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    Some(FEDERATION.ok(format!(
        "federated credentials need the issuer {issuer}, the audience {AUDIENCE} and the subject {named}{more}"
    )))
}

/// The subject of the tokens that are exchanged for a store; `None` if there are none, or if each namespace has its own.
fn subject(key: &StoreKey, store: &SecretStore) -> Option<String> {
    let azure = store.spec.get().ok()?.provider.azurekv.as_ref()?;
    let account = azure.service_account_ref.as_ref().filter(|_| azure.auth_type == AzureAuthType::WorkloadIdentity)?;
    let namespace = match key.kind {
        StoreKind::SecretStore => key.object.namespace.as_str(),
        StoreKind::ClusterSecretStore => account.namespace.as_deref()?,
    };
    Some(format!("system:serviceaccount:{namespace}:{}", account.name))
}
