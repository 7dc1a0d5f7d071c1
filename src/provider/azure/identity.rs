//! The identity with which a store reads its vault, derived from `authType` and the store's references.
//!
//! If several client IDs or tenants are given, the choice follows ESO, which has two implementations that differ
//! (`useAzureSDK` or not). What either accepts is accepted here with the same result; `useAzureSDK` itself has no
//! effect.

use std::fmt;
use std::path::PathBuf;
use std::str;

use secrecy::ExposeSecret;

use super::cloud::Cloud;
use super::cluster::Cluster;
use super::diagnose::{Cause, Diagnosis, text};
use super::options::Environment;
use super::principal::{Credential, ServicePrincipal, check_selector};
use super::references::{check_namespaces, given};
use crate::api::v1::secret_store::{AzureAuthType, AzureKvProvider, SecretKeySelector, ServiceAccountSelector};
use crate::provider::{Caller, ServiceAccount, StoreView};

/// On a service account: the client ID of the application or identity to read as.
pub(super) const ANNOTATION_CLIENT_ID: &str = "azure.workload.identity/client-id";
/// On a service account: the tenant.
pub(super) const ANNOTATION_TENANT_ID: &str = "azure.workload.identity/tenant-id";
/// All annotations of a service account that are used.
pub const ACCOUNT_ANNOTATIONS: [&str; 2] = [ANNOTATION_CLIENT_ID, ANNOTATION_TENANT_ID];

/// An identity and its proof. Equal identities get the same tokens: everything that could change the token, such as a
/// recreated service account or a changed Secret, is part of it. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// An application, or a user-assigned identity, in a tenant.
    Application {
        /// The client ID.
        client_id: String,
        /// The tenant's ID or domain.
        tenant_id: String,
        /// Its proof.
        proof: Proof,
    },
    /// The machine's own identity.
    Machine {
        /// A user-assigned identity; the system-assigned one if `None`.
        user_assigned: Option<UserAssigned>,
    },
    /// The account that is logged in with one of Azure's tools.
    LoggedIn {
        /// The tenant to request a token from; that of the login if `None`.
        tenant_id: Option<String>,
    },
}

impl Identity {
    /// The namespace that its proof belongs to; empty for the process's own identity.
    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::Application { proof, .. } => proof.namespace(),
            Self::Machine { .. } | Self::LoggedIn { .. } => "",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application { client_id, tenant_id, .. } => write!(f, "{client_id} in tenant {tenant_id}"),
            Self::Machine { user_assigned: Some(UserAssigned::ClientId(id) | UserAssigned::ResourceId(id)) } => {
                write!(f, "managed identity {id}")
            }
            Self::Machine { user_assigned: None } => f.write_str("the machine's managed identity"),
            Self::LoggedIn { .. } => f.write_str("who is logged in with az or azd"),
        }
    }
}

/// Names a user-assigned identity of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum UserAssigned {
    /// By its client ID.
    ClientId(String),
    /// By its resource ID, `/subscriptions/...`.
    ResourceId(String),
}

/// The proof of an application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Proof {
    /// The token in a file of this pod.
    TokenFile(PathBuf),
    /// A token of a service account.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID: a recreated account counts as a different one.
        uid: String,
        /// The audiences to ask for.
        audiences: Vec<String>,
    },
    /// A client secret.
    ClientSecret(CredentialKey),
    /// A certificate with its private key.
    ClientCertificate(CredentialKey),
    /// The client secret in the environment.
    EnvironmentSecret,
    /// A certificate with its private key, in a file that the environment names.
    CertificateFile(PathBuf),
}

impl Proof {
    /// The namespace that it belongs to; empty for the process's own identity.
    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::ServiceAccount { namespace, .. } => namespace,
            Self::ClientSecret(key) | Self::ClientCertificate(key) => &key.namespace,
            Self::TokenFile(_) | Self::EnvironmentSecret | Self::CertificateFile(_) => "",
        }
    }
}

/// A key of a Secret that holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CredentialKey {
    /// The Secret's namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// The key.
    pub(super) key: String,
    /// The Secret's UID and resourceVersion.
    pub(super) version: [String; 2],
    /// The field that refers to it.
    pub(super) field: &'static str,
}

impl fmt::Display for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key \"{}\" of Secret \"{}\" in namespace \"{}\"", self.key, self.name, self.namespace)
    }
}

/// Determines the identity of a store.
pub(super) struct Resolver<'a> {
    /// The store.
    pub(super) view: StoreView<'a>,
    /// Its Key Vault section.
    pub(super) store: &'a AzureKvProvider,
    /// On whose behalf the store is read.
    pub(super) caller: Caller<'a>,
    /// The store's cloud.
    pub(super) cloud: &'a Cloud,
    /// The pod's own identity.
    pub(super) environment: &'a Environment,
    /// Where to find accounts and credentials.
    pub(super) cluster: &'a Cluster,
}

impl Resolver<'_> {
    /// # Errors
    /// A field of the store, an annotation or an object of the cluster that is missing or invalid.
    pub(super) async fn identity(&self) -> Result<Identity, Diagnosis> {
        check_namespaces(&self.view, self.store)?;
        match (self.store.auth_type, &self.store.service_account_ref) {
            (AzureAuthType::WorkloadIdentity, None) => {
                of_pod(self.environment, "azurekv.serviceAccountRef in the store")
            }
            (AzureAuthType::WorkloadIdentity, Some(account)) => self.service_account(account).await,
            (AzureAuthType::ServicePrincipal, _) => self.service_principal().await,
            (AzureAuthType::ManagedIdentity, _) => {
                let id = self.store.identity_id.as_deref().map(str::trim);
                let user_assigned = given(id).map(|id| UserAssigned::ClientId(id.to_owned()));
                Ok(Identity::Machine { user_assigned })
            }
        }
    }

    async fn service_account(&self, selector: &ServiceAccountSelector) -> Result<Identity, Diagnosis> {
        let namespace = self.namespace(selector.namespace.as_deref())?;
        let account = self.cluster.service_account(namespace, &selector.name).await?;
        let client_id = self.client_id(&account, namespace, &selector.name).await?;
        let tenant_id = self.tenant_id(&account, namespace, &selector.name).await?;
        let audiences = audiences(&self.cloud.audiences, selector);
        let proof = Proof::ServiceAccount {
            namespace: namespace.to_owned(),
            name: selector.name.clone(),
            uid: account.uid.clone(),
            audiences,
        };
        application(client_id, tenant_id, proof)
    }

    /// The annotation's, or else that of `authSecretRef`. If both are given, ESO's older implementation fails and its
    /// newer one uses the annotation.
    async fn client_id(&self, account: &ServiceAccount, namespace: &str, name: &str) -> Result<String, Diagnosis> {
        if let Some(annotated) = annotation(account, ANNOTATION_CLIENT_ID) {
            return Ok(annotated.to_owned());
        }
        let selector = self.store.auth_secret_ref.as_ref().and_then(|secrets| secrets.client_id.as_ref());
        match selector {
            Some(selector) => self.text_of(selector, "azurekv.authSecretRef.clientId").await,
            None => Err(Diagnosis::new(
                Cause::IdentityIncomplete,
                format!(
                    "ServiceAccount \"{name}\" in namespace \"{namespace}\" has no annotation {ANNOTATION_CLIENT_ID}"
                ),
            )
            .hint("annotate it with the client id of the application or identity that may read the vault")),
        }
    }

    /// For an annotated account, the store's `tenantId`, or else the annotation (ESO's newer implementation; the older
    /// accepts only one of them). For other accounts that of `authSecretRef`, or else `tenantId`, or else the pod's
    /// tenant (ESO's older implementation; the newer only knows `tenantId`).
    async fn tenant_id(&self, account: &ServiceAccount, namespace: &str, name: &str) -> Result<String, Diagnosis> {
        let of_store = given(self.store.tenant_id.as_deref().map(str::trim));
        if let Some(annotated) = annotation(account, ANNOTATION_TENANT_ID) {
            return Ok(of_store.unwrap_or(annotated).to_owned());
        }
        let selector = self.store.auth_secret_ref.as_ref().and_then(|secrets| secrets.tenant_id.as_ref());
        if let Some(selector) = selector {
            return self.text_of(selector, "azurekv.authSecretRef.tenantId").await;
        }
        of_store.map(ToOwned::to_owned).or_else(|| self.environment.tenant_id.clone()).ok_or_else(|| {
            Diagnosis::new(
                Cause::IdentityIncomplete,
                format!(
                    "no tenant is given: neither azurekv.tenantId nor annotation {ANNOTATION_TENANT_ID} of ServiceAccount \"{name}\" in namespace \"{namespace}\""
                ),
            )
            .hint("set one of the two to the tenant's id")
        })
    }

    async fn service_principal(&self) -> Result<Identity, Diagnosis> {
        let principal = ServicePrincipal::of(self.store)?;
        let client_id = self.text_of(principal.client_id, "azurekv.authSecretRef.clientId").await?;
        let field = principal.credential.field();
        let selected = self.selected(principal.credential.selector(), field)?;
        let key = credential_in_secret(self.cluster, selected, field).await?;
        let proof = match principal.credential {
            Credential::Secret(_) => Proof::ClientSecret(key),
            Credential::Certificate(_) => Proof::ClientCertificate(key),
        };
        application(client_id, principal.tenant_id.to_owned(), proof)
    }

    /// The text in a key of a Secret.
    async fn text_of(&self, selector: &SecretKeySelector, field: &str) -> Result<String, Diagnosis> {
        id_in_secret(self.cluster, self.selected(selector, field)?, field).await
    }

    /// The namespace, name and key that a reference names.
    fn selected<'b>(
        &'b self,
        selector: &'b SecretKeySelector,
        field: &str,
    ) -> Result<(&'b str, &'b str, &'b str), Diagnosis> {
        check_selector(selector, field)?;
        let [name, key] = [&selector.name, &selector.key].map(|part| part.as_deref().unwrap_or_default());
        Ok((self.namespace(selector.namespace.as_deref())?, name, key))
    }

    /// The namespace of a reference: in a SecretStore its own; in a ClusterSecretStore the named one, or else that of
    /// the ExternalSecret.
    fn namespace<'b>(&'b self, named: Option<&'b str>) -> Result<&'b str, Diagnosis> {
        if let Some(own) = self.view.namespace {
            return Ok(own);
        }
        match (given(named), self.caller) {
            (Some(namespace), _)
            | (None, Caller::ExternalSecret { namespace, .. } | Caller::PushSecret { namespace }) => Ok(namespace),
            (None, Caller::StoreValidation) => Err(Diagnosis::new(
                Cause::StoreInvalid,
                "the store's references name no namespace, so it can be used by an ExternalSecret only",
            )),
        }
    }
}

/// The identity of the controller's own pod. `instead` names alternatives.
pub(super) fn of_pod(environment: &Environment, instead: &str) -> Result<Identity, Diagnosis> {
    let Environment { client_id, tenant_id, token_file, .. } = environment;
    match (client_id, tenant_id, token_file) {
        (Some(client_id), Some(tenant_id), Some(file)) => {
            application(client_id.clone(), tenant_id.clone(), Proof::TokenFile(file.clone()))
        }
        _ => Err(Diagnosis::new(
            Cause::PodIdentityMissing,
            "the controller's pod has not all of AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE",
        )
        .hint(format!("label the pod azure.workload.identity/use: \"true\" and restart it, or set {instead}"))),
    }
}

/// The audiences to request in a service account's token: those of the cloud, and the listed ones.
pub(super) fn audiences(cloud: &[&'static str], selector: &ServiceAccountSelector) -> Vec<String> {
    let mut audiences: Vec<String> = Vec::new();
    let of_cloud = cloud.iter().map(ToString::to_string);
    for audience in of_cloud.chain(selector.audiences.iter().cloned()) {
        if !audience.is_empty() && !audiences.contains(&audience) {
            audiences.push(audience);
        }
    }
    audiences
}

/// The ID in a key of a Secret, named by `field`.
pub(super) async fn id_in_secret(
    cluster: &Cluster,
    (namespace, name, key): (&str, &str, &str),
    field: &str,
) -> Result<String, Diagnosis> {
    let value = cluster.credential(namespace, name, key).await?;
    let text = str::from_utf8(value.value.expose_secret()).map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(Diagnosis::new(
            Cause::IdentityIncomplete,
            format!("key \"{key}\" of Secret \"{name}\" in namespace \"{namespace}\", named by {field}, holds no text"),
        )
        .hint("put the id there"));
    }
    Ok(text.to_owned())
}

/// A credential in a key of a Secret, named by `field`, with the Secret's version.
pub(super) async fn credential_in_secret(
    cluster: &Cluster,
    (namespace, name, key): (&str, &str, &str),
    field: &'static str,
) -> Result<CredentialKey, Diagnosis> {
    let value = cluster.credential(namespace, name, key).await?;
    Ok(CredentialKey {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
        version: [value.uid, value.resource_version],
        field,
    })
}

/// Whether a text can be a client ID or a tenant: a UUID or a domain.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Checks what becomes part of the token request's URL.
pub(super) fn application(client_id: String, tenant_id: String, proof: Proof) -> Result<Identity, Diagnosis> {
    for (what, id) in [("client id", &client_id), ("tenant id", &tenant_id)] {
        if !is_id(id) {
            return Err(Diagnosis::new(
                Cause::IdentityIncomplete,
                format!("\"{}\" cannot be a {what}", text::stable(id)),
            )
            .hint("give a UUID, or for a tenant one of its domains"));
        }
    }
    Ok(Identity::Application { client_id, tenant_id, proof })
}

pub(super) fn annotation<'a>(account: &'a ServiceAccount, name: &str) -> Option<&'a str> {
    given(account.annotations.get(name).map(|value| value.trim()))
}
