//! Checks of a store's text, without any request, for the webhook, the command line and the controllers.

use serde_json::Value;

use super::cloud::Cloud;
use super::diagnose::{Cause, Diagnosis, text};
use super::endpoint::VaultEndpoint;
use super::identity::is_id;
use super::object::ObjectId;
use super::principal::ServicePrincipal;
use super::{Options, acr, references};
use crate::api::object_name::is_object_name;
use crate::api::v1::external_secret::RemoteRef;
use crate::api::v1::secret_store::{AzureAuthType, AzureKvProvider};
use crate::provider::{RegistryView, StoreView};

/// The cloud and vault that the fields of a store name.
pub(super) struct Checked {
    /// Its cloud.
    pub(super) cloud: Cloud,
    /// Its vault.
    pub(super) endpoint: VaultEndpoint,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path below `provider`, for example `azurekv.vaultUrl`.
    pub field: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl From<Diagnosis> for FieldProblem {
    fn from(diagnosis: Diagnosis) -> Self {
        let (field, problem) = diagnosis.field_and_problem();
        Self { field: field.unwrap_or("azurekv").to_owned(), problem }
    }
}

/// Everything that is wrong with a store that uses Key Vault; empty if nothing is.
#[must_use]
pub fn store(view: &StoreView<'_>, store: &AzureKvProvider, options: &Options) -> Vec<FieldProblem> {
    let cloud = Cloud::of_store(view.kind, store, options);
    let endpoint = cloud.as_ref().ok().map(|cloud| VaultEndpoint::parse(&store.vault_url, cloud).map(drop));
    let cloud = cloud.map(drop);
    let all = identity_checks(view, store, options).into_iter().chain([cloud]).chain(endpoint);
    all.filter_map(Result::err).map(FieldProblem::from).collect()
}

/// Everything that is wrong with the text of a generator of registry tokens, with fields relative to its spec; empty if
/// nothing is.
#[must_use]
pub fn registry(view: &RegistryView<'_>, options: &Options) -> Vec<FieldProblem> {
    let problem = |diagnosis: Diagnosis| {
        let (field, problem) = diagnosis.field_and_problem();
        FieldProblem { field: field.unwrap_or("auth").to_owned(), problem }
    };
    acr::problems(view, options).into_iter().map(problem).collect()
}

/// What is wrong with the text of a reference: it names something that Key Vault cannot have.
#[must_use]
pub fn reference(reference: &RemoteRef) -> Option<String> {
    Some(ObjectId::parse(reference).err()?.field_and_problem().1)
}

/// What is wrong with what a PushSecret says of an object besides its value, if anything.
#[must_use]
pub fn push_metadata(metadata: &Value) -> Option<String> {
    Some(super::push::check_metadata(metadata).err()?.field_and_problem().1)
}

/// The same for a controller, which also needs the result.
///
/// # Errors
/// Names the first invalid field.
pub(super) fn check(view: &StoreView<'_>, store: &AzureKvProvider, options: &Options) -> Result<Checked, Diagnosis> {
    identity_checks(view, store, options).into_iter().collect::<Result<(), _>>()?;
    let cloud = Cloud::of_store(view.kind, store, options)?;
    let endpoint = VaultEndpoint::parse(&store.vault_url, &cloud)?;
    Ok(Checked { cloud, endpoint })
}

fn identity_checks(view: &StoreView<'_>, store: &AzureKvProvider, options: &Options) -> Vec<Result<(), Diagnosis>> {
    let mut checks = vec![
        references::check_namespaces(view, store),
        references::check_own_identity(view, store, options.own_identity),
        tenant(store),
        names(store),
    ];
    if store.auth_type == AzureAuthType::ServicePrincipal {
        checks.push(ServicePrincipal::of(store).map(drop));
    }
    checks
}

/// Names of service accounts and Secrets become part of the API server's URLs.
fn names(store: &AzureKvProvider) -> Result<(), Diagnosis> {
    match references::named_objects(store).into_iter().find(|(_, name)| !is_object_name(name)) {
        None => Ok(()),
        Some((field, name)) => {
            let problem = format!("\"{}\" is not a name of an object", text::stable(name));
            Err(Diagnosis::of_field(Cause::StoreInvalid, field, problem)
                .hint("write lower case letters, digits, '-' and '.'"))
        }
    }
}

/// The tenant becomes part of the path of the authority's URL.
fn tenant(store: &AzureKvProvider) -> Result<(), Diagnosis> {
    match store.tenant_id.as_deref().map(str::trim).filter(|tenant| !tenant.is_empty() && !is_id(tenant)) {
        None => Ok(()),
        Some(tenant) => {
            let problem = format!("cannot be \"{}\"", text::stable(tenant));
            Err(Diagnosis::of_field(Cause::StoreInvalid, "azurekv.tenantId", problem)
                .hint("give the tenant's id, a UUID, or one of its domains"))
        }
    }
}
