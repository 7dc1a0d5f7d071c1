//! The objects of the cluster that a store names for its identity, and the namespaces that they may be in.

use super::diagnose::{Cause, Diagnosis, text};
use super::options::OwnIdentity;
use crate::api::v1::secret_store::{AzureAuthSecretRef, AzureAuthType, AzureKvProvider, SecretKeySelector, StoreKind};
use crate::provider::StoreView;

/// A reference to a cluster object from which a store's identity is made.
struct Reference<'a> {
    field: &'static str,
    namespace: Option<&'a str>,
}

/// The references that apply for a store's `authType`.
fn references(store: &AzureKvProvider) -> Vec<Reference<'_>> {
    let secrets = store.auth_secret_ref.as_ref();
    let secret = |field, get: fn(&AzureAuthSecretRef) -> &Option<SecretKeySelector>| {
        let selector = secrets.and_then(|secrets| get(secrets).as_ref())?;
        Some(Reference { field, namespace: given(selector.namespace.as_deref()) })
    };
    let client_id = || secret("azurekv.authSecretRef.clientId.namespace", |secrets| &secrets.client_id);
    let tenant_id = || secret("azurekv.authSecretRef.tenantId.namespace", |secrets| &secrets.tenant_id);
    let client_secret = || secret("azurekv.authSecretRef.clientSecret.namespace", |secrets| &secrets.client_secret);
    let certificate =
        || secret("azurekv.authSecretRef.clientCertificate.namespace", |secrets| &secrets.client_certificate);
    match (store.auth_type, &store.service_account_ref) {
        (AzureAuthType::ServicePrincipal, _) => {
            [client_id(), client_secret(), certificate()].into_iter().flatten().collect()
        }
        (AzureAuthType::WorkloadIdentity, Some(account)) => {
            let account = Reference {
                field: "azurekv.serviceAccountRef.namespace",
                namespace: given(account.namespace.as_deref()),
            };
            [Some(account), client_id(), tenant_id()].into_iter().flatten().collect()
        }
        (AzureAuthType::WorkloadIdentity, None) | (AzureAuthType::ManagedIdentity, _) => Vec::new(),
    }
}

/// All non-empty names and namespaces of objects in a store, with their fields.
pub(super) fn named_objects(store: &AzureKvProvider) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    if let Some(account) = &store.service_account_ref {
        found.push(("serviceAccountRef", Some(account.name.as_str()), account.namespace.as_deref()));
    }
    if let Some(secrets) = &store.auth_secret_ref {
        let all = [
            ("authSecretRef.clientId", &secrets.client_id),
            ("authSecretRef.tenantId", &secrets.tenant_id),
            ("authSecretRef.clientSecret", &secrets.client_secret),
            ("authSecretRef.clientCertificate", &secrets.client_certificate),
        ];
        let given = all.into_iter().filter_map(|(field, selector)| Some((field, selector.as_ref()?)));
        found.extend(given.map(|(field, selector)| (field, selector.name.as_deref(), selector.namespace.as_deref())));
    }
    let parts = found.into_iter().flat_map(|(field, name, namespace)| {
        [(format!("azurekv.{field}.name"), name), (format!("azurekv.{field}.namespace"), namespace)]
    });
    parts.filter_map(|(field, text)| Some((field, given(text)?))).collect()
}

/// The references whose namespace ESO's webhook checks for any `authType`.
fn references_of_eso(store: &AzureKvProvider) -> Vec<Reference<'_>> {
    let secrets = store.auth_secret_ref.as_ref();
    let client_id = secrets.and_then(|secrets| secrets.client_id.as_ref());
    let client_secret = secrets.and_then(|secrets| secrets.client_secret.as_ref());
    let account = store.service_account_ref.as_ref();
    let named = [
        ("azurekv.authSecretRef.clientId.namespace", client_id.and_then(|selector| selector.namespace.as_deref())),
        (
            "azurekv.authSecretRef.clientSecret.namespace",
            client_secret.and_then(|selector| selector.namespace.as_deref()),
        ),
        ("azurekv.serviceAccountRef.namespace", account.and_then(|selector| selector.namespace.as_deref())),
    ];
    named.into_iter().map(|(field, namespace)| Reference { field, namespace: given(namespace) }).collect()
}

/// Whether a store's references are resolved in the namespace of each ExternalSecret ("referent"), so that the store
/// alone has no identity.
pub(super) fn is_referent(kind: StoreKind, store: &AzureKvProvider) -> bool {
    kind == StoreKind::ClusterSecretStore && references(store).iter().any(|reference| reference.namespace.is_none())
}

/// Checks that a SecretStore only refers to its own namespace.
pub(super) fn check_namespaces(view: &StoreView<'_>, store: &AzureKvProvider) -> Result<(), Diagnosis> {
    let Some(own) = view.namespace.filter(|_| view.kind == StoreKind::SecretStore) else { return Ok(()) };
    let all = references(store).into_iter().chain(references_of_eso(store));
    match all.into_iter().find(|reference| reference.namespace.is_some_and(|other| other != own)) {
        None => Ok(()),
        Some(reference) => Err(Diagnosis::of_field(
            Cause::NamespaceForbidden,
            reference.field,
            format!(
                "is \"{}\", and a SecretStore reads its own namespace \"{own}\" only",
                text::stable(reference.namespace.unwrap_or_default())
            ),
        )
        .hint("leave it out, or use a ClusterSecretStore")),
    }
}

/// Checks that a SecretStore does not use the identity of the controller's own pod or machine unless the operator
/// allows it: the namespace has no claim to what that identity may read.
pub(super) fn check_own_identity(
    view: &StoreView<'_>,
    store: &AzureKvProvider,
    allowed: OwnIdentity,
) -> Result<(), Diagnosis> {
    let is_own = match store.auth_type {
        AzureAuthType::ServicePrincipal => false,
        AzureAuthType::WorkloadIdentity => store.service_account_ref.is_none(),
        AzureAuthType::ManagedIdentity => true,
    };
    if view.kind == StoreKind::ClusterSecretStore || allowed == OwnIdentity::AllStores || !is_own {
        return Ok(());
    }
    let problem = match store.auth_type {
        AzureAuthType::ManagedIdentity => "ManagedIdentity is the identity of the controller's machine",
        _ => "WorkloadIdentity without azurekv.serviceAccountRef is the identity of the controller's own pod",
    };
    let problem = format!("{problem}, which a SecretStore may not use");
    Err(Diagnosis::of_field(Cause::OwnIdentityForbidden, "azurekv.authType", problem).hint(
        "set serviceAccountRef or authSecretRef of this namespace, or use a ClusterSecretStore, or have the operator set --azure-own-identity-in-secret-stores",
    ))
}

/// Treats an empty text as absent.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
