//! Who reads the vault of a class: the store.

use serde_json::{Value, json};

use super::parameters::{text, truth};
use crate::api::v1::StoreKind;
use crate::cli::migrate::old::choice::Choice;
use crate::cli::migrate::old::objects::{self, Object};
use crate::cli::migrate::old::report::Conversion;
use crate::cli::migrate::old::vault::{self, Store};
use crate::cli::migrate::old::workloads::Workload;

/// The parameters that choose who reads, besides a client id.
const MODES: [&str; 3] = ["usePodIdentity", "useVMManagedIdentity", "useAzureTokenProxy"];

/// The store of a class: the given one, or one that is made. Nothing where none can be.
pub(super) fn store(
    class: &Object,
    workloads: &[Workload<'_>],
    choice: &Choice,
    conversion: &mut Conversion,
) -> Option<Store> {
    if let Some(store) = &choice.store {
        return Some(store.clone());
    }
    let described = class.described();
    if let Some(mode) = MODES.iter().find(|mode| truth(class, mode).is_none()) {
        conversion.about(&described).impossible(&format!("spec.parameters.{mode}"), "is neither true nor false");
        return None;
    }
    let on: Vec<&str> = MODES.into_iter().filter(|mode| truth(class, mode) == Some(true)).collect();
    if on.len() > 1 {
        let message = format!("{} exclude each other, and the driver mounts nothing", on.join(" and "));
        conversion.about(&described).impossible("spec.parameters", message);
        return None;
    }
    let vault = Vault::of(class, conversion)?;
    match on.first() {
        Some(&"useAzureTokenProxy") => {
            let message = "identity bindings of AKS are not supported, neither here nor by ESO; federate the identity with a service account, set clientID, and try again";
            conversion.about(&described).impossible("spec.parameters.useAzureTokenProxy", message);
            None
        }
        Some(&"useVMManagedIdentity") => Some(managed_identity(class, &vault, conversion)),
        Some(_) => pod_identity(class, &vault, choice, conversion),
        None if !text(class, "clientID").is_empty() => {
            Some(workload_identity(class, &vault, workloads, choice, conversion))
        }
        None => service_principal(class, &vault, workloads, conversion),
    }
}

/// The vault and its tenant.
struct Vault {
    url: String,
    tenant: String,
    environment: &'static str,
}

impl Vault {
    fn of(class: &Object, conversion: &mut Conversion) -> Option<Self> {
        let mut about = conversion.about(&class.described());
        let name = text(class, "keyvaultName");
        if name.is_empty() {
            about.impossible("spec.parameters.keyvaultName", "is missing, and the driver mounts nothing");
            return None;
        }
        let tenant = [text(class, "tenantID"), text(class, "tenantId")].into_iter().find(|tenant| !tenant.is_empty());
        let Some(tenant) = tenant else {
            about.impossible("spec.parameters.tenantID", "is missing, and the driver mounts nothing");
            return None;
        };
        let cloud = text(class, "cloudName");
        let Some((suffix, environment)) = vault::cloud(cloud) else {
            let message = format!(
                "{cloud:?}: write a store with environmentType AzureStackCloud, customCloudConfig and the vault's URL, and name it with --store"
            );
            about.by_hand("spec.parameters.cloudName", message);
            return None;
        };
        if !text(class, "cloudEnvFileName").is_empty() {
            let message = "put what the file says into customCloudConfig of the store";
            about.by_hand("spec.parameters.cloudEnvFileName", message);
        }
        Some(Self { url: format!("https://{name}.{suffix}"), tenant: tenant.to_owned(), environment })
    }

    /// `spec.provider.azurekv`
    fn provider(&self, auth_type: &str) -> Value {
        let mut provider = json!({"authType": auth_type, "vaultUrl": self.url, "tenantId": self.tenant});
        if self.environment != "PublicCloud" {
            provider["environmentType"] = self.environment.into();
        }
        provider
    }
}

/// The store of a class, as a manifest.
fn namespaced(class: &Object, provider: &Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": class.name(), "namespace": class.namespace()},
        "spec": {"provider": {"azurekv": provider}},
    })
}

fn own_store(class: &Object) -> Store {
    Store { kind: StoreKind::SecretStore, name: class.name().to_owned() }
}

/// The service account is that of the Pods, so that Entra ID trusts it already.
fn workload_identity(
    class: &Object,
    vault: &Vault,
    workloads: &[Workload<'_>],
    choice: &Choice,
    conversion: &mut Conversion,
) -> Store {
    let using = workloads.iter().filter(|workload| workload.volumes_of_class(class.name()).next().is_some());
    let mut accounts: Vec<&str> = using.map(Workload::service_account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let given = choice.service_account.as_deref();
    let account = given.or(accounts.first().copied()).unwrap_or(class.name());
    let mut about = conversion.about(&class.described());
    match accounts.len() {
        _ if given.is_some() => {}
        0 => about.by_hand(
            "spec.parameters.clientID",
            format!("no Pods that mount it were found: the store names the service account {account}, for which a federated credential must be there; name that of the Pods with --service-account"),
        ),
        1 => {}
        _ => about.done(
            "spec.parameters.clientID",
            format!("its Pods have the service accounts {}, which stand for the same identity; the store uses {account}", accounts.join(", ")),
        ),
    }
    let mut provider = vault.provider("WorkloadIdentity");
    provider["serviceAccountRef"] = json!({"name": account});
    conversion.add(vault::service_account(class.namespace(), account, text(class, "clientID"), &vault.tenant));
    conversion.add(namespaced(class, &provider));
    own_store(class)
}

/// What the machine may read every namespace may, unless the store says otherwise: it is one of the cluster, for this namespace alone.
fn managed_identity(class: &Object, vault: &Vault, conversion: &mut Conversion) -> Store {
    let name = format!("{}-{}", class.namespace(), class.name());
    let mut provider = vault.provider("ManagedIdentity");
    let identity = text(class, "userAssignedIdentityID");
    if !identity.is_empty() {
        provider["identityId"] = identity.into();
    }
    conversion.add(json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": name},
        "spec": {"provider": {"azurekv": provider}, "conditions": [{"namespaces": [class.namespace()]}]},
    }));
    let message = "the identity is that of the machines on which the controller runs, and not of those of the Pods";
    conversion.about(&class.described()).by_hand("spec.parameters.useVMManagedIdentity", message);
    Store { kind: StoreKind::ClusterSecretStore, name }
}

fn pod_identity(class: &Object, vault: &Vault, choice: &Choice, conversion: &mut Conversion) -> Option<Store> {
    let Some(account) = &choice.service_account else {
        let message = "pod identity has ended: make a service account of its AzureIdentity with `migrate pod-identity`, and name it with --service-account";
        conversion.about(&class.described()).by_hand("spec.parameters.usePodIdentity", message);
        return None;
    };
    let mut provider = vault.provider("WorkloadIdentity");
    provider["serviceAccountRef"] = json!({"name": account});
    conversion.add(namespaced(class, &provider));
    Some(own_store(class))
}

/// The credential is in a Secret that the volume names.
fn service_principal(
    class: &Object,
    vault: &Vault,
    workloads: &[Workload<'_>],
    conversion: &mut Conversion,
) -> Option<Store> {
    let mut volumes = workloads.iter().flat_map(|workload| workload.volumes_of_class(class.name()));
    let secret =
        volumes.find_map(|csi| Some(objects::text(csi, "/nodePublishSecretRef/name")).filter(|name| !name.is_empty()));
    let Some(secret) = secret else {
        let message = "it has no clientID, and no volume with a nodePublishSecretRef was found: give the manifests of the Pods as well, or name a store with --store";
        conversion.about(&class.described()).by_hand("spec.parameters", message);
        return None;
    };
    let mut provider = vault.provider("ServicePrincipal");
    provider["authSecretRef"] = json!({
        "clientId": {"name": secret, "key": "clientid"},
        "clientSecret": {"name": secret, "key": "clientsecret"},
    });
    conversion.add(namespaced(class, &provider));
    Some(own_store(class))
}
