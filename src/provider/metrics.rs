//! What providers count. The controller connects this trait to its metrics registry, so that a provider need not know
//! how metrics are served.

use std::time::Duration;

/// Receives what a provider counts. Each method has an empty default, so that `()` counts nothing.
pub trait ProviderMetrics: Send + Sync {
    /// One request to the provider was answered, or failed, after this long.
    fn api_call(&self, _call: ApiCall, _status: CallStatus, _took: Duration) {}

    /// An exchange of a credential for an access token has ended.
    fn token_exchange(&self, _status: CallStatus) {}

    /// A read was answered without a request of its own.
    fn shared_read(&self, _how: SharedRead) {}

    /// The provider refused a request because there were too many.
    fn throttled(&self) {}

    /// How long a request waited for its turn before it was sent.
    fn gate_wait(&self, _waited: Duration) {}

    /// The state of the gate to the vault with this host; `None` when it is no longer used.
    fn gate(&self, _host: &str, _state: Option<GateState>) {}

    /// A single request finds out, on behalf of all waiting callers, whether a failure is over.
    fn probe(&self, _of: Probe) {}
}

impl ProviderMetrics for () {}

/// The kinds of requests that ESO counts, under ESO's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiCall {
    /// One secret.
    GetSecret,
    /// A page of the list of secrets.
    GetSecrets,
    /// One key.
    GetKey,
    /// One certificate.
    GetCertificate,
    /// A new version of a secret.
    SetSecret,
    /// Properties of a secret. ESO does not send it.
    UpdateSecret,
    /// A deletion of a secret.
    DeleteSecret,
    /// A deleted secret. ESO does not send it.
    GetDeletedSecret,
    /// A recovery of a secret. ESO does not send it.
    RecoverDeletedSecret,
    /// A page of the versions of a secret. ESO does not send it.
    GetSecretVersions,
    /// A new version of a key.
    ImportKey,
    /// Properties of a key. ESO does not send it.
    UpdateKey,
    /// A deletion of a key.
    DeleteKey,
    /// A deleted key. ESO does not send it.
    GetDeletedKey,
    /// A recovery of a key. ESO does not send it.
    RecoverDeletedKey,
    /// A new version of a certificate.
    ImportCertificate,
    /// Properties of a certificate. ESO does not send it.
    UpdateCertificate,
    /// A deletion of a certificate.
    DeleteCertificate,
    /// A deleted certificate. ESO does not send it.
    GetDeletedCertificate,
    /// A recovery of a certificate. ESO does not send it.
    RecoverDeletedCertificate,
    /// A refresh token of a container registry. ESO does not count it.
    ExchangeRefreshToken,
    /// An access token of a container registry. ESO does not count it.
    ExchangeAccessToken,
}

impl ApiCall {
    /// The value of the label `call` of `externalsecret_provider_api_calls_count`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::GetSecret => "GetSecret",
            Self::GetSecrets => "GetSecrets",
            Self::GetKey => "GetKey",
            Self::GetCertificate => "GetCertificate",
            Self::SetSecret => "SetSecret",
            Self::UpdateSecret => "UpdateSecret",
            Self::DeleteSecret => "DeleteSecret",
            Self::GetDeletedSecret => "GetDeletedSecret",
            Self::RecoverDeletedSecret => "RecoverDeletedSecret",
            Self::GetSecretVersions => "GetSecretVersions",
            Self::ImportKey => "ImportKey",
            Self::UpdateKey => "UpdateKey",
            Self::DeleteKey => "DeleteKey",
            Self::GetDeletedKey => "GetDeletedKey",
            Self::RecoverDeletedKey => "RecoverDeletedKey",
            Self::ImportCertificate => "ImportCertificate",
            Self::UpdateCertificate => "UpdateCertificate",
            Self::DeleteCertificate => "DeleteCertificate",
            Self::GetDeletedCertificate => "GetDeletedCertificate",
            Self::RecoverDeletedCertificate => "RecoverDeletedCertificate",
            Self::ExchangeRefreshToken => "ExchangeRefreshToken",
            Self::ExchangeAccessToken => "ExchangeAccessToken",
        }
    }

    /// The value of the label `provider`.
    #[must_use]
    pub const fn provider(self) -> &'static str {
        match self {
            Self::ExchangeRefreshToken | Self::ExchangeAccessToken => "Azure/ContainerRegistry",
            _ => "Azure/KeyVault",
        }
    }
}

/// The state of the gate to a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateState {
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Whether the vault is paused.
    pub paused: bool,
    /// How many requests for secrets may be sent in 10 s: what the vault served before it last refused some, or else
    /// what the operator allows.
    pub budget: u32,
}

/// What a probe finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Whether a vault is back.
    Vault,
    /// Whether an identity gets a token again.
    Identity,
    /// Whether an identity was granted a permission.
    Rights,
}

impl Probe {
    /// The value of a label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Identity => "identity",
            Self::Rights => "rights",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// It was answered.
    Success,
    /// It was refused, or there was no answer.
    Error,
}

impl CallStatus {
    /// The status of a result.
    #[must_use]
    pub const fn of<T, E>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Success,
            Err(_) => Self::Error,
        }
    }

    /// The value of the label `status`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// How a read was answered without a request of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SharedRead {
    /// An identical read was in progress.
    InFlight,
    /// An identical read had just ended.
    Cached,
}

impl SharedRead {
    /// The value of a label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Cached => "cached",
        }
    }
}
