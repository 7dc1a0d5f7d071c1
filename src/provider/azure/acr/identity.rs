//! The identity that requests a registry's token, under the rules for a SecretStore in the ExternalSecret's namespace.

use super::super::cloud::RegistryCloud;
use super::super::cluster::Cluster;
use super::super::diagnose::{Cause, Diagnosis, text};
use super::super::identity::{
    ANNOTATION_CLIENT_ID, ANNOTATION_TENANT_ID, Identity, Proof, UserAssigned, annotation, application, audiences,
    credential_in_secret, id_in_secret, is_id, of_pod,
};
use super::super::options::{Environment, OwnIdentity};
use super::super::references::given;
use crate::api::generators::{AcrAuth, AcrManagedIdentity, AcrSecretRef, AcrServicePrincipal, AcrWorkloadIdentity};
use crate::api::object_name::is_object_name;
use crate::api::v1::secret_store::{SecretKeySelector, ServiceAccountSelector};
use crate::provider::RegistryView;

const CLIENT_ID: &str = "auth.servicePrincipal.secretRef.clientId";
const CLIENT_SECRET: &str = "auth.servicePrincipal.secretRef.clientSecret";
const ACCOUNT: &str = "auth.workloadIdentity.serviceAccountRef";

/// The identity to use: the first that is set, as in ESO.
enum Chosen<'a> {
    ServicePrincipal(&'a AcrSecretRef),
    Machine(Option<&'a str>),
    ServiceAccount(&'a ServiceAccountSelector),
    Pod,
}

fn chosen(auth: &AcrAuth) -> Result<Chosen<'_>, Diagnosis> {
    match auth {
        AcrAuth { service_principal: Some(AcrServicePrincipal { secret_ref }), .. } => {
            Ok(Chosen::ServicePrincipal(secret_ref))
        }
        AcrAuth { managed_identity: Some(AcrManagedIdentity { identity_id }), .. } => {
            Ok(Chosen::Machine(given(identity_id.as_deref().map(str::trim))))
        }
        AcrAuth { workload_identity: Some(AcrWorkloadIdentity { service_account_ref }), .. } => {
            Ok(service_account_ref.as_ref().map_or(Chosen::Pod, Chosen::ServiceAccount))
        }
        AcrAuth { .. } => Err(Diagnosis::of_field(
            Cause::GeneratorInvalid,
            "auth",
            "names none of servicePrincipal, managedIdentity and workloadIdentity",
        )
        .hint("set one of them")),
    }
}

/// Whether it is the identity of the process.
pub(super) fn is_of_process(auth: &AcrAuth) -> bool {
    matches!(chosen(auth), Ok(Chosen::Pod))
}

/// Checks what can be checked without reading from the cluster.
pub(super) fn check(view: &RegistryView<'_>, allowed: OwnIdentity) -> Result<(), Diagnosis> {
    let chosen = chosen(&view.spec.auth)?;
    if let Some(tenant) = given(view.spec.tenant_id.as_deref().map(str::trim)).filter(|tenant| !is_id(tenant)) {
        let problem = format!("cannot be \"{}\"", text::stable(tenant));
        return Err(Diagnosis::of_field(Cause::GeneratorInvalid, "tenantId", problem)
            .hint("give the tenant's id, a UUID, or one of its domains"));
    }
    let own = match chosen {
        Chosen::ServicePrincipal(secrets) => {
            if given(view.spec.tenant_id.as_deref().map(str::trim)).is_none() {
                let problem = "is missing, which auth.servicePrincipal needs";
                return Err(Diagnosis::of_field(Cause::GeneratorInvalid, "tenantId", problem)
                    .hint("set it to the tenant of the service principal"));
            }
            selected(view, secrets.client_id.as_ref(), CLIENT_ID)?;
            selected(view, secrets.client_secret.as_ref(), CLIENT_SECRET)?;
            return Ok(());
        }
        Chosen::ServiceAccount(account) => {
            check_name(&account.name, ACCOUNT)?;
            return check_namespace(view, account.namespace.as_deref(), ACCOUNT);
        }
        Chosen::Machine(_) => "auth.managedIdentity is the identity of the controller's machine",
        Chosen::Pod => "auth.workloadIdentity without serviceAccountRef is the identity of the controller's own pod",
    };
    if view.is_of_cluster || allowed == OwnIdentity::AllStores {
        return Ok(());
    }
    let message = format!("{own}, which a generator of a namespace may not use");
    Err(Diagnosis::new(Cause::OwnIdentityForbidden, message).hint(
        "set auth.workloadIdentity.serviceAccountRef or auth.servicePrincipal with objects of this namespace, or use a ClusterGenerator, or have the operator set --azure-own-identity-in-secret-stores",
    ))
}

/// The identity of a generator that has been checked.
pub(super) async fn resolve(
    view: &RegistryView<'_>,
    cloud: &RegistryCloud,
    environment: &Environment,
    cluster: &Cluster,
) -> Result<Identity, Diagnosis> {
    match chosen(&view.spec.auth)? {
        Chosen::ServicePrincipal(secrets) => {
            let client_id = selected(view, secrets.client_id.as_ref(), CLIENT_ID)?;
            let client_id = id_in_secret(cluster, client_id, CLIENT_ID).await?;
            let secret = selected(view, secrets.client_secret.as_ref(), CLIENT_SECRET)?;
            let secret = credential_in_secret(cluster, secret, CLIENT_SECRET).await?;
            let tenant = view.spec.tenant_id.as_deref().unwrap_or_default().trim();
            application(client_id, tenant.to_owned(), Proof::ClientSecret(secret))
        }
        Chosen::Machine(id) => {
            let named = |id: &str| {
                let is_resource = id.contains('/');
                let id = id.to_owned();
                if is_resource { UserAssigned::ResourceId(id) } else { UserAssigned::ClientId(id) }
            };
            let user_assigned = id.map(named);
            Ok(Identity::Machine { user_assigned })
        }
        Chosen::ServiceAccount(account) => service_account(view, account, cloud, cluster).await,
        Chosen::Pod => of_pod(environment, "auth.workloadIdentity.serviceAccountRef in the generator"),
    }
}

async fn service_account(
    view: &RegistryView<'_>,
    selector: &ServiceAccountSelector,
    cloud: &RegistryCloud,
    cluster: &Cluster,
) -> Result<Identity, Diagnosis> {
    let (namespace, name) = (view.namespace, selector.name.as_str());
    let account = cluster.service_account(namespace, name).await?;
    let annotated = |key: &str| {
        annotation(&account, key).map(ToOwned::to_owned).ok_or_else(|| {
            let message = format!("ServiceAccount \"{name}\" in namespace \"{namespace}\" has no annotation {key}");
            Diagnosis::new(Cause::IdentityIncomplete, message)
                .hint("annotate it with the client id and the tenant of the identity that may pull from the registry")
        })
    };
    let (client_id, tenant_id) = (annotated(ANNOTATION_CLIENT_ID)?, annotated(ANNOTATION_TENANT_ID)?);
    let proof = Proof::ServiceAccount {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: account.uid.clone(),
        audiences: audiences(&cloud.audiences, selector),
    };
    application(client_id, tenant_id, proof)
}

/// The namespace, name and key that a reference names.
fn selected<'a>(
    view: &RegistryView<'a>,
    selector: Option<&'a SecretKeySelector>,
    field: &str,
) -> Result<(&'a str, &'a str, &'a str), Diagnosis> {
    let missing = |part: &str| {
        Diagnosis::of_field(Cause::GeneratorInvalid, format!("{field}{part}"), "is missing")
            .hint("name the Secret and its key")
    };
    let selector = selector.ok_or_else(|| missing(""))?;
    check_namespace(view, selector.namespace.as_deref(), field)?;
    let name = given(selector.name.as_deref()).ok_or_else(|| missing(".name"))?;
    let key = given(selector.key.as_deref()).ok_or_else(|| missing(".key"))?;
    check_name(name, field)?;
    Ok((view.namespace, name, key))
}

/// References are resolved in the namespace of the ExternalSecret. ESO ignores another namespace; here it is an error.
fn check_namespace(view: &RegistryView<'_>, named: Option<&str>, field: &str) -> Result<(), Diagnosis> {
    match given(named).filter(|named| *named != view.namespace) {
        None => Ok(()),
        Some(other) => Err(Diagnosis::of_field(
            Cause::NamespaceForbidden,
            format!("{field}.namespace"),
            format!(
                "is \"{}\", and a generator reads the namespace of the ExternalSecret, \"{}\", only",
                text::stable(other),
                view.namespace
            ),
        )
        .hint("leave it out")),
    }
}

/// Names become part of the API server's URLs.
fn check_name(name: &str, field: &str) -> Result<(), Diagnosis> {
    if is_object_name(name) {
        return Ok(());
    }
    let problem = format!("\"{}\" is not a valid object name", text::stable(name));
    Err(Diagnosis::of_field(Cause::GeneratorInvalid, format!("{field}.name"), problem)
        .hint("write lower case letters, digits, '-' and '.'"))
}
