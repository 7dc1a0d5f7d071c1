//! Checks whether each store is Ready, has a controller, and names an existing service account.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::answers::Objects;
use crate::api::v1::condition::READY;
use crate::api::v1::{ConditionStatus, SecretStore, StoreKind};
use crate::cli::harmless;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::cli::person::printing::span;
use crate::cli::person::{Cluster, absent, explanation};
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::conditions;
use crate::controller::secret_store::finding::CHECKS;
use crate::controller::store_access::clients::is_ours;
use crate::controller::store_access::key::StoreKey;

const STORE_READY: Check = Check::new("stores", "store-ready");
const CLASS: Check = Check::new("stores", "store-class");
const ACCOUNT: Check = Check::new("stores", "service-account");

/// The annotation that ties a service account to an Azure identity.
const CLIENT_ID: &str = "azure.workload.identity/client-id";

/// The stores to check, or why there are none.
pub(super) async fn listed(
    patient: &Patient<'_>,
    cluster: &Cluster,
) -> Result<Vec<(StoreKey, SecretStore)>, (StoreKind, ApiError)> {
    let mut stores = Vec::new();
    for (kind, namespace) in [(StoreKind::SecretStore, patient.namespace), (StoreKind::ClusterSecretStore, None)] {
        stores.extend(cluster.stores(kind, namespace, None).await.map_err(|error| (kind, error))?);
    }
    if let Some(only) = patient.store {
        stores.retain(|(key, _)| key == only);
    }
    Ok(stores)
}

pub(super) async fn look(
    patient: &Patient<'_>,
    cluster: &Cluster,
    stores: &Result<Vec<(StoreKey, SecretStore)>, (StoreKind, ApiError)>,
) -> Vec<Finding> {
    let stores = match stores {
        Ok(stores) => stores,
        Err((kind, error)) => return vec![STORE_READY.skipped(kind.plural(), error)],
    };
    if let (Some(only), true) = (patient.store, stores.is_empty()) {
        let named = Named { kind: Kind::Store(only.kind), key: only.object.clone() };
        let remedy = "Create it, or correct the name; `external-secrets get stores` lists the existing ones.";
        return vec![STORE_READY.failed(absent::message(cluster, &named).await, remedy, "docs/install.md")];
    }
    let mut findings = Vec::new();
    let mut ready = 0;
    for (key, store) in stores {
        match of_store(patient, key, store) {
            Some(finding) => findings.push(about(finding, key)),
            None => ready += 1,
        }
        findings.extend(account(patient, key, store).await.map(|finding| about(finding, key)));
    }
    if ready > 0 {
        findings.insert(
            0,
            STORE_READY.ok(if ready == 1 {
                "1 store is Ready".to_owned()
            } else {
                format!("{ready} stores are Ready")
            }),
        );
    } else if findings.is_empty() {
        findings.push(STORE_READY.not_looked_at("there is no store"));
    }
    findings
}

fn about(finding: Finding, key: &StoreKey) -> Finding {
    finding.about(key.kind.name(), &key.object.namespace, &key.object.name)
}

/// What is wrong with a store; `None` if it is Ready.
fn of_store(patient: &Patient<'_>, key: &StoreKey, store: &SecretStore) -> Option<Finding> {
    if !is_ours(store, patient.class) {
        let class =
            store.spec.get().ok().and_then(|spec| spec.controller.as_deref().map(harmless::word)).unwrap_or_default();
        return Some(CLASS.warning(
            format!("{key} is for a controller of class {class:?}, not {:?}", patient.class),
            "Start a controller with that `--controller-class`, or remove `spec.controller`.",
            "docs/multi-tenancy.md",
        ));
    }
    let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = conditions::find(conditions, READY) else {
        return Some(STORE_READY.failed(
            format!("{key} was never validated"),
            "See whether the controller runs, and watches its namespace.",
            "docs/troubleshooting.md#the-controller-does-not-become-ready",
        ));
    };
    let message = ready.message.as_deref().unwrap_or_default();
    let broken = CHECKS.iter().filter_map(|check| conditions::find(conditions, check.type_));
    let mut broken = broken.filter(|check| check.status == ConditionStatus::False);
    let broken = broken.next();
    let cause = broken.and_then(|check| check.reason.as_deref());
    let which = broken.map(|check| format!("{} is False: ", check.type_)).unwrap_or_default();
    let since = ready.last_transition_time.as_ref().map(|since| patient.now.duration_since(since.0));
    let not_ready =
        since.map_or_else(|| "is not Ready".to_owned(), |since| format!("has not been Ready for {}", span(since)));
    let explanation = explanation::of(cause, message);
    let message = &harmless::told(message);
    let (remedy, see) = ("Fix the store as its message says.", "docs/runbook.md#secretstorenotready");
    match (ready.status, broken) {
        (ConditionStatus::False, _) => {
            Some(STORE_READY.failed(format!("{key} {not_ready}: {which}{message}"), remedy, see).explained(explanation))
        }
        // A store stays usable during an outage.
        (_, Some(check)) => {
            let said = &check.message.as_deref().map_or_else(|| message.clone(), harmless::told);
            let finding = STORE_READY.warning(format!("{key} is Ready, but {which}{said}"), remedy, see);
            Some(finding.explained(explanation::of(cause, said)))
        }
        (_, None) if ready.reason.as_deref() == Some("ValidationUnknown") => Some(
            STORE_READY
                .warning(
                    format!("{key}: {message}"),
                    "The controller retries by itself; see the cause if it lasts.",
                    see,
                )
                .explained(explanation),
        ),
        _ => None,
    }
}

/// Whether the service account that a store names exists and names an identity.
async fn account(patient: &Patient<'_>, key: &StoreKey, store: &SecretStore) -> Option<Finding> {
    let spec = store.spec.get().ok()?;
    let azure = spec.provider.azurekv.as_ref()?;
    let reference = azure.service_account_ref.as_ref()?;
    let namespace = match key.kind {
        StoreKind::SecretStore => key.object.namespace.as_str(),
        StoreKind::ClusterSecretStore => reference.namespace.as_deref()?,
    };
    let api: Objects<ServiceAccount> = Objects::namespaced(patient.client.clone(), namespace, &());
    let see = "docs/troubleshooting.md#the-service-account-is-missing-or-incomplete";
    let name = &reference.name;
    let account = match bounded(api.get_metadata_opt(name)).await {
        Ok(account) => account,
        Err(error) => return Some(ACCOUNT.skipped("service accounts", &error)),
    };
    let Some(account) = account else {
        let message = format!("{key} names service account {namespace}/{name}, which does not exist");
        return Some(ACCOUNT.failed(message, "Create it, or correct `serviceAccountRef`.", see));
    };
    let annotated = account.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(CLIENT_ID));
    let is_given = annotated || azure.auth_secret_ref.as_ref().is_some_and(|given| given.client_id.is_some());
    (!is_given).then(|| {
        let message = format!("service account {namespace}/{name} of {key} lacks the annotation {CLIENT_ID}");
        ACCOUNT.failed(message, "Annotate it with the client id of the identity.", see)
    })
}
