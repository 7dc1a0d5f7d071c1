//! The documents that the control API accepts, and that `external-secrets sandbox` reads from a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::entra::directory::{Application, TOKEN_EXCHANGE_AUDIENCE};
use crate::fault::{Effect, Fault};
use crate::state::State;
use crate::{IssuerKeys, SandboxError};

use super::vaults::VaultDocument;

/// The configuration of a sandbox. What it does not name stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// External identity providers.
    pub issuers: Vec<IssuerDocument>,
    /// Applications by client ID, by tenant ID (or `default`).
    pub tenants: BTreeMap<String, BTreeMap<String, ApplicationDocument>>,
    /// The machine on which clients run.
    pub machine: Option<MachineDocument>,
    /// Vaults by name or host.
    pub vaults: BTreeMap<String, VaultDocument>,
}

/// An external identity provider and its keys. Either `publicKeyPem` or `jwks` is required.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IssuerDocument {
    /// Its URL, as in tokens.
    pub issuer: String,
    /// Public keys in PEM.
    #[serde(default)]
    pub public_key_pem: Option<String>,
    /// A JSON Web Key Set, such as kube-apiserver's `/openid/v1/jwks`.
    #[serde(default)]
    pub jwks: Option<serde_json::Value>,
}

/// An application's credentials. A given list replaces the existing one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ApplicationDocument {
    /// Federated credentials.
    pub federated: Option<Vec<FederatedDocument>>,
    /// Client secrets.
    pub client_secrets: Option<Vec<ClientSecretDocument>>,
    /// Certificates in PEM, with whose keys the application signs its own assertions.
    pub certificates: Option<Vec<String>>,
}

/// A federated credential.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FederatedDocument {
    /// The issuer of the tokens.
    pub issuer: String,
    /// Their subject.
    pub subject: String,
    /// Their audience; `api://AzureADTokenExchange` by default.
    #[serde(default)]
    pub audience: Option<String>,
}

/// A client secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientSecretDocument {
    /// Its value.
    pub value: String,
    /// When it expires.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl std::fmt::Debug for ClientSecretDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientSecretDocument").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The machine's managed identities, which replace the existing ones: client IDs in the default tenant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineDocument {
    /// The machine's own identity.
    pub system_identity: Option<String>,
    /// User-assigned identities by resource ID.
    pub user_identities: BTreeMap<String, String>,
}

/// A fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultDocument {
    /// What goes wrong. Each kind lists the fields that it needs.
    pub fault: FaultKind,
    /// Only for this operation, such as `GetSecret`.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only for the object with this name.
    #[serde(default)]
    pub object: Option<String>,
    /// Ends after this many requests.
    #[serde(default)]
    pub times: Option<u32>,
    /// Ends after this many seconds.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// For `latency`.
    #[serde(default)]
    pub milliseconds: Option<u64>,
    /// For `throttle`, in seconds; without it, there is no header.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// For `status`; 503 by default.
    #[serde(default)]
    pub status: Option<u16>,
    /// For `refuse`: the `AADSTS` number.
    #[serde(default)]
    pub code: Option<u32>,
    /// For `redirect` and `nextLink`.
    #[serde(default)]
    pub url: Option<String>,
    /// For `slowBody` (per second) and `hugeHeader`.
    #[serde(default)]
    pub bytes: Option<u32>,
}

/// The kinds of faults; see [`Effect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "each is described at Effect")]
pub enum FaultKind {
    Latency,
    Throttle,
    Status,
    Refuse,
    DropBefore,
    DropAfter,
    SlowBody,
    EndlessBody,
    HugeHeader,
    Redirect,
    NextLink,
    WrongCertificate,
    HostNotFound,
    ConnectionRefused,
}

impl FaultDocument {
    fn effect(&self) -> Result<Effect, SandboxError> {
        let missing = |field| SandboxError::Document(format!("the fault {:?} needs the field {field}", self.fault));
        Ok(match self.fault {
            FaultKind::Latency => {
                Effect::Latency(Duration::from_millis(self.milliseconds.ok_or_else(|| missing("milliseconds"))?))
            }
            FaultKind::Throttle => Effect::Throttle(self.retry_after),
            FaultKind::Status => Effect::Status(self.status.unwrap_or(503)),
            FaultKind::Refuse => Effect::Refuse(self.code.ok_or_else(|| missing("code"))?),
            FaultKind::DropBefore => Effect::DropBefore,
            FaultKind::DropAfter => Effect::DropAfter,
            FaultKind::SlowBody => Effect::SlowBody(self.bytes.ok_or_else(|| missing("bytes"))?),
            FaultKind::EndlessBody => Effect::EndlessBody,
            FaultKind::HugeHeader => {
                let bytes = self.bytes.ok_or_else(|| missing("bytes"))?;
                Effect::HugeHeader(usize::try_from(bytes).unwrap_or(usize::MAX))
            }
            FaultKind::Redirect => Effect::Redirect(self.url.clone().ok_or_else(|| missing("url"))?),
            FaultKind::NextLink => Effect::NextLink(self.url.clone().ok_or_else(|| missing("url"))?),
            FaultKind::WrongCertificate => Effect::WrongCertificate,
            FaultKind::HostNotFound => Effect::HostNotFound,
            FaultKind::ConnectionRefused => Effect::ConnectionRefused,
        })
    }

    /// The fault it describes.
    pub(crate) fn fault(&self) -> Result<Fault, SandboxError> {
        let mut fault = Fault::new(self.effect()?);
        if let Some(operation) = &self.operation {
            fault = fault.on(operation);
        }
        if let Some(object) = &self.object {
            fault = fault.of(object);
        }
        if let Some(times) = self.times {
            fault = fault.times(times);
        }
        if let Some(seconds) = self.seconds {
            fault = fault.lasting(Duration::from_secs(seconds));
        }
        Ok(fault)
    }
}

impl Document {
    /// Reads a document in JSON or YAML from a file.
    ///
    /// # Errors
    /// [`SandboxError::Read`] if the file cannot be read or is not a document.
    pub fn read(path: &Path) -> Result<Self, SandboxError> {
        let unreadable = |reason| SandboxError::Read { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// Creates and changes what it names.
    pub(crate) fn apply(&self, state: &State) -> Result<(), SandboxError> {
        for issuer in &self.issuers {
            issuer.apply(state)?;
        }
        for (tenant, applications) in &self.tenants {
            let tenant = state.tenant_named(tenant);
            for (client_id, application) in applications {
                application.apply(&tenant.application(client_id))?;
            }
        }
        if let Some(machine) = &self.machine {
            machine.apply(state);
        }
        for (name, vault) in &self.vaults {
            vault.apply(state, &state.vault_named(name)?)?;
        }
        Ok(())
    }
}

impl IssuerDocument {
    pub(crate) fn apply(&self, state: &State) -> Result<(), SandboxError> {
        let keys = match (&self.public_key_pem, &self.jwks) {
            (Some(pem), _) => IssuerKeys::from_pem(pem)?,
            (None, Some(jwks)) => IssuerKeys::from_jwks(&jwks.to_string())?,
            (None, None) => {
                return Err(SandboxError::Document(format!(
                    "the issuer {} needs the field publicKeyPem or jwks",
                    self.issuer
                )));
            }
        };
        state.set_issuer(&self.issuer, keys);
        Ok(())
    }
}

impl ApplicationDocument {
    pub(crate) fn apply(&self, application: &Application) -> Result<(), SandboxError> {
        if let Some(federated) = &self.federated {
            application.clear_federation();
            for credential in federated {
                let audience = credential.audience.as_deref().unwrap_or(TOKEN_EXCHANGE_AUDIENCE);
                application.federate_for(&credential.issuer, &credential.subject, audience);
            }
        }
        if let Some(secrets) = &self.client_secrets {
            application.clear_client_secrets();
            for secret in secrets {
                application.add_client_secret(&secret.value, secret.expires);
            }
        }
        if let Some(certificates) = &self.certificates {
            application.clear_certificates();
            for certificate in certificates {
                application.add_certificate(certificate)?;
            }
        }
        Ok(())
    }
}

impl MachineDocument {
    pub(crate) fn apply(&self, state: &State) {
        let tenant = state.tenant_named(state.default_tenant());
        let machine = state.machine().clear();
        if let Some(client_id) = &self.system_identity {
            machine.assign_system_identity(&tenant.application(client_id));
        }
        for (resource_id, client_id) in &self.user_identities {
            machine.assign_user_identity(&tenant.application(client_id), resource_id);
        }
    }
}
