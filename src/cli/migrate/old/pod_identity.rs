//! AzureIdentities of AAD pod identity, which ended in 2023, become annotated service accounts for workload identity.

use serde_json::json;

use super::choice::Choice;
use super::objects::{Found, Kind, Object};
use super::report::Conversion;
use super::vault;
use super::workloads;

/// What is looked for.
pub(in crate::cli::migrate) const KINDS: [Kind; 2] = [
    Kind { group: "aadpodidentity.k8s.io", versions: &["v1"], kind: "AzureIdentity", plural: "azureidentities" },
    Kind {
        group: "aadpodidentity.k8s.io",
        versions: &["v1"],
        kind: "AzureIdentityBinding",
        plural: "azureidentitybindings",
    },
];

/// The label by which Pods name a binding.
const LABEL: &str = "aadpodidbinding";

/// What becomes of all of them.
pub(super) fn convert(found: &Found, choice: &Choice) -> Conversion {
    let mut conversion = Conversion::default();
    for identity in found.of_kind(KINDS[0].kind) {
        match identity.value["spec"]["type"].as_i64() {
            Some(0) | None => managed_identity(identity, found, choice, &mut conversion),
            Some(1) => service_principal(identity, "clientSecret", &mut conversion),
            Some(2) => service_principal(identity, "clientCertificate", &mut conversion),
            Some(other) => {
                let message = format!("{other} is not a type of identity");
                conversion.about(&identity.described()).impossible("spec.type", message);
            }
        }
    }
    conversion
}

/// The service accounts of the Pods that a binding gives an identity.
pub(super) fn accounts(identity: &Object, found: &Found) -> Vec<String> {
    let bindings = found.of_kind(KINDS[1].kind).filter(|binding| {
        binding.namespace() == identity.namespace() && binding.text("/spec/azureIdentity") == identity.name()
    });
    let selectors: Vec<&str> =
        bindings.map(|binding| binding.text("/spec/selector")).filter(|s| !s.is_empty()).collect();
    let mut accounts: Vec<String> = workloads::in_namespace(found, identity.namespace())
        .iter()
        .filter(|workload| selectors.contains(&workload.label(LABEL)))
        .map(|workload| workload.service_account().to_owned())
        .collect();
    accounts.sort();
    accounts.dedup();
    accounts
}

fn managed_identity(identity: &Object, found: &Found, choice: &Choice, conversion: &mut Conversion) {
    let (namespace, client_id) = (identity.namespace(), identity.text("/spec/clientID"));
    let tenant_id = identity.text("/spec/tenantID");
    let accounts = match &choice.service_account {
        Some(account) => vec![account.clone()],
        None => accounts(identity, found),
    };
    if client_id.is_empty() {
        conversion.about(&identity.described()).impossible("spec.clientID", "is missing");
        return;
    }
    if accounts.is_empty() {
        let message = format!(
            "no Pods with the label {LABEL} of a binding were found; name the service account of those that used it with --service-account"
        );
        conversion.about(&identity.described()).by_hand("", message);
        return;
    }
    for account in accounts {
        let mut manifest = vault::service_account(namespace, &account, client_id, tenant_id);
        if tenant_id.is_empty() {
            if let Some(annotations) = manifest["metadata"]["annotations"].as_object_mut() {
                annotations.remove("azure.workload.identity/tenant-id");
            }
            let message = "it names no tenant: annotate the service account with azure.workload.identity/tenant-id, or set tenantId in the store";
            conversion.about(&identity.described()).by_hand("spec.tenantID", message);
        }
        conversion.add(manifest);
        let mut about = conversion.about(&identity.described());
        about.done("", format!("ServiceAccount {namespace}/{account} stands for it"));
        about.by_hand("spec.resourceID", federation(identity, &account));
        if account == "default" {
            about.by_hand(
                "",
                "all Pods without a service account of their own have this one; give those that need the identity one",
            );
        }
    }
}

/// The command that makes Entra ID trust a service account.
fn federation(identity: &Object, account: &str) -> String {
    let resource = identity.text("/spec/resourceID");
    let part = |name: &str| {
        let mut parts = resource.split('/');
        parts.find(|part| part.eq_ignore_ascii_case(name)).and_then(|_| parts.next()).unwrap_or("NAME")
    };
    let (group, name) = (part("resourcegroups"), part("userAssignedIdentities"));
    let namespace = identity.namespace();
    format!(
        "run: az identity federated-credential create --name {namespace}-{account} --identity-name {name} --resource-group {group} --issuer \"$ISSUER\" --subject system:serviceaccount:{namespace}:{account} --audiences api://AzureADTokenExchange (ISSUER is what `external-secrets doctor` and `az aks show --query oidcIssuerProfile.issuerUrl` print)"
    )
}

fn service_principal(identity: &Object, field: &str, conversion: &mut Conversion) {
    let (client_id, tenant_id) = (identity.text("/spec/clientID"), identity.text("/spec/tenantID"));
    let secret = identity.text("/spec/clientPassword/name");
    let namespace = match identity.text("/spec/clientPassword/namespace") {
        "" => identity.namespace(),
        namespace => namespace,
    };
    let auth = json!({"clientId": {"name": secret, "key": "clientId"}, field: {"name": secret, "key": "KEY"}});
    let message = format!(
        "a service principal: a store with authType ServicePrincipal, tenantId {tenant_id} and authSecretRef {auth}; put the client id {client_id} into the Secret {namespace}/{secret} as clientId, and name its key of the credential; a managed identity with a federated credential needs none"
    );
    conversion.about(&identity.described()).by_hand("spec.type", message);
}
