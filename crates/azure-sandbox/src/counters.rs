//! Counts the requests to the emulated services, and their answers.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;

use super::keyvault::object::ObjectKind;

/// Requests to one vault since it was created or its counters were reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultCounters {
    /// Requests that arrived, answered or not.
    pub arrived: u64,
    /// All HTTP requests, whatever the result.
    pub requests: u64,
    /// Answers 401 to a request without a token.
    pub challenges: u64,
    /// Answers 429, caused by the limit or by a fault.
    pub throttled: u64,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests by operation (`GetSecret`, `SetSecret`, ...) that passed authentication, limit and
    /// faults, whether or not access was granted.
    pub operations: BTreeMap<&'static str, u64>,
    /// The reads among them, by object: `secrets/NAME`, `keys/NAME`, `certificates/NAME`.
    pub reads: BTreeMap<String, u64>,
    /// TLS connections.
    pub connections: u64,
}

impl VaultCounters {
    /// How many requests for an operation, such as `GetSecret`, were served.
    #[must_use]
    pub fn operation(&self, name: &str) -> u64 {
        self.operations.get(name).copied().unwrap_or_default()
    }

    /// How often the object was read.
    #[must_use]
    pub fn reads(&self, kind: ObjectKind, name: &str) -> u64 {
        self.reads.get(&format!("{}/{name}", kind.collection())).copied().unwrap_or_default()
    }

    /// How often the secret was read.
    #[must_use]
    pub fn secret_reads(&self, name: &str) -> u64 {
        self.reads(ObjectKind::Secret, name)
    }
}

/// Token requests of one application or tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntraCounters {
    /// Requests for a token, whatever the result.
    pub exchanges: u64,
    /// Tokens that were issued.
    pub issued: u64,
    /// Refusals by `AADSTS` number.
    pub refused: BTreeMap<u32, u64>,
    /// Answers 429.
    pub throttled: u64,
    /// The ID (`jti`) of the external identity provider's token that was last accepted for an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_assertion: Option<String>,
}

/// Requests to one container registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryCounters {
    /// Requests by operation: `Exchange`, `Token`, `Manifest`, `Version`, `Unknown`.
    pub requests: BTreeMap<&'static str, u64>,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Refresh tokens that were issued.
    pub refresh_tokens: u64,
    /// Access tokens that were issued.
    pub access_tokens: u64,
    /// Manifests that were served.
    pub pulls: u64,
}

/// Counters that are changed by many connections.
#[derive(Debug, Default)]
pub(crate) struct Counted<T>(Mutex<T>);

impl<T: Clone + Default> Counted<T> {
    pub(crate) fn record(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.lock());
    }

    pub(crate) fn snapshot(&self) -> T {
        self.0.lock().clone()
    }

    pub(crate) fn reset(&self) {
        *self.0.lock() = T::default();
    }
}
