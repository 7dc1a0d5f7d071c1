//! The fields that a store with `authType: ServicePrincipal` needs.

use super::diagnose::{Cause, Diagnosis};
use crate::api::v1::secret_store::{AzureKvProvider, SecretKeySelector};

/// A service principal, as a store describes it.
pub(super) struct ServicePrincipal<'a> {
    /// `tenantId`
    pub(super) tenant_id: &'a str,
    /// Where to find the client ID.
    pub(super) client_id: &'a SecretKeySelector,
    /// Its proof.
    pub(super) credential: Credential<'a>,
}

/// Where to find the credential.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// A client secret.
    Secret(&'a SecretKeySelector),
    /// A certificate and its key.
    Certificate(&'a SecretKeySelector),
}

impl<'a> ServicePrincipal<'a> {
    /// Reads the fields. As in ESO, exactly one of `clientSecret` and `clientCertificate` must be set.
    ///
    /// # Errors
    /// Names the field that is missing or superfluous.
    pub(super) fn of(store: &'a AzureKvProvider) -> Result<Self, Diagnosis> {
        let missing = |field: &str| {
            let problem = "is missing, which authType ServicePrincipal needs";
            Diagnosis::of_field(Cause::StoreInvalid, format!("azurekv.{field}"), problem)
                .hint("set it, or choose another authType")
        };
        let tenant_id =
            store.tenant_id.as_deref().map(str::trim).filter(|id| !id.is_empty()).ok_or_else(|| missing("tenantId"))?;
        let secrets = store.auth_secret_ref.as_ref().ok_or_else(|| missing("authSecretRef"))?;
        let client_id = secrets.client_id.as_ref().ok_or_else(|| missing("authSecretRef.clientId"))?;
        let credential = match (&secrets.client_secret, &secrets.client_certificate) {
            (Some(secret), None) => Credential::Secret(secret),
            (None, Some(certificate)) => Credential::Certificate(certificate),
            (None, None) => {
                return Err(Diagnosis::of_field(
                    Cause::StoreInvalid,
                    "azurekv.authSecretRef",
                    "has neither clientSecret nor clientCertificate, of which authType ServicePrincipal needs one",
                )
                .hint("set one of them, or choose another authType"));
            }
            (Some(_), Some(_)) => {
                return Err(Diagnosis::of_field(
                    Cause::StoreInvalid,
                    "azurekv.authSecretRef",
                    "has both clientSecret and clientCertificate",
                )
                .hint("keep one of them"));
            }
        };
        let principal = Self { tenant_id, client_id, credential };
        check_selector(principal.client_id, "azurekv.authSecretRef.clientId")?;
        check_selector(principal.credential.selector(), principal.credential.field())?;
        Ok(principal)
    }
}

impl<'a> Credential<'a> {
    /// The Secret and its key.
    pub(super) const fn selector(self) -> &'a SecretKeySelector {
        match self {
            Self::Secret(selector) | Self::Certificate(selector) => selector,
        }
    }

    /// The field that refers to them.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Secret(_) => "azurekv.authSecretRef.clientSecret",
            Self::Certificate(_) => "azurekv.authSecretRef.clientCertificate",
        }
    }
}

/// Checks that a reference names a Secret and a key of it.
///
/// # Errors
/// Names what is missing.
pub(super) fn check_selector(selector: &SecretKeySelector, field: &str) -> Result<(), Diagnosis> {
    for (part, value) in [("name", &selector.name), ("key", &selector.key)] {
        if value.as_deref().unwrap_or_default().is_empty() {
            return Err(Diagnosis::of_field(Cause::StoreInvalid, format!("{field}.{part}"), "is missing")
                .hint("name the Secret and its key"));
        }
    }
    Ok(())
}
