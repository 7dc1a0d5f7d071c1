//! Turns what Entra ID, Key Vault, DNS, TLS and the network report into a cause, with a text and a hint for people.
//!
//! The text keeps Azure's own words and code, but is the same for two failures with the same cause: trace IDs, times
//! and ports are removed ([`text`]).

mod catalog;
mod cause;
pub(super) mod entra;
pub(super) mod network;
#[cfg(test)]
mod page;
pub(super) mod registry;
pub(super) mod text;
pub(super) mod vault;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use azure_core::error::ErrorKind;

pub(super) use catalog::causes;
pub(super) use cause::{Cause, EntraCode};

use crate::provider::{ProviderError, Recovery};

/// The longest wait that a provider's `Retry-After` can ask for.
pub(super) const RETRY_AFTER_CAP: Duration = Duration::from_mins(1);

/// What went wrong: the future [`ProviderError`] with its exact cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    /// The cause.
    pub(super) cause: Cause,
    /// The field of a store that is at fault, such as `azurekv.vaultUrl`; the message begins with it.
    field: Option<String>,
    /// What happened, with Azure's own words and code.
    pub(super) message: String,
    /// What to change.
    pub(super) hint: Option<String>,
    /// How long Azure asked to wait, at most [`RETRY_AFTER_CAP`].
    pub(super) retry_after: Option<Duration>,
    /// Reports when a retry is worthwhile.
    pub(super) recovery: Option<Recovery>,
}

impl Diagnosis {
    /// A diagnosis without a hint.
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, field: None, message: message.into(), hint: None, retry_after: None, recovery: None }
    }

    /// `who` answered with a redirect.
    pub(super) fn redirected(who: &str, status: u16) -> Self {
        let message = format!("{who} answered with a redirect (HTTP {status}), which is not followed");
        Self::new(Cause::Redirected, message)
    }

    /// A diagnosis of a field of a store, such as `azurekv.vaultUrl`.
    pub(super) fn of_field(cause: Cause, field: impl Into<String>, problem: impl fmt::Display) -> Self {
        let field = field.into();
        Self { field: Some(field.clone()), ..Self::new(cause, format!("{field} {problem}")) }
    }

    /// The field of a store that is at fault, and what is wrong with it.
    pub(super) fn field_and_problem(&self) -> (Option<&str>, String) {
        let field = self.field.as_deref();
        let problem = field.and_then(|field| self.message.strip_prefix(field)).map_or(&*self.message, str::trim_start);
        let hint = self.hint.as_deref().map_or(String::new(), |hint| format!(": {hint}"));
        (field, format!("{problem}{hint}"))
    }

    /// Adds what to change.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds how long Azure asked to wait, capped.
    pub(super) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait.map(|wait| wait.min(RETRY_AFTER_CAP));
        self
    }

    /// Adds what reports when a retry is worthwhile.
    pub(super) fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Adds the object that this is about.
    pub(super) fn of(mut self, object: impl fmt::Display) -> Self {
        self.message = format!("{object}: {}", self.message);
        self
    }

    /// The same of a request that carried a secret value: without the vault's own words where they may repeat it.
    pub(super) fn of_sent(self, value: &[u8]) -> Self {
        let is_about_the_content = matches!(
            self.cause,
            Cause::BadRequest
                | Cause::Conflict
                | Cause::VaultFailed
                | Cause::VaultUnavailable
                | Cause::VaultThrottled
                | Cause::UnexpectedAnswer
        );
        let hint = self.hint.filter(|hint| !text::repeats(hint, value));
        if !is_about_the_content && !text::repeats(&self.message, value) {
            return Self { hint, ..self };
        }
        let message = format!(
            "the vault refused it ({}); its words are left out, since they may repeat the value",
            self.cause.label()
        );
        Self { message, hint, ..self }
    }

    /// Extracts the diagnosis from an error of the Azure SDK. The transport attaches one to every failure, so an error
    /// without one comes from the SDK itself. Its text is withheld, because it may quote what could not be parsed,
    /// which may be a secret.
    pub(super) fn from_sdk(error: &azure_core::Error) -> Self {
        let mut link: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(current) = link {
            if let Some(diagnosis) = current.downcast_ref::<Self>() {
                return diagnosis.clone();
            }
            link = current.source();
        }
        Self::new(
            Cause::UnexpectedAnswer,
            match error.kind() {
                ErrorKind::DataConversion => "the answer could not be understood",
                ErrorKind::Credential => "the Azure SDK refused the credential",
                _ => "the Azure SDK failed",
            },
        )
    }

    /// Wraps it so that the Azure SDK carries it through.
    pub(super) fn into_sdk(self) -> azure_core::Error {
        let message = self.to_string();
        azure_core::Error::with_error(ErrorKind::Other, self, message)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Diagnosis {}

impl From<Diagnosis> for ProviderError {
    fn from(diagnosis: Diagnosis) -> Self {
        Self {
            class: diagnosis.cause.class(),
            cause: diagnosis.cause.label(),
            message: diagnosis.message,
            hint: diagnosis.hint,
            retry_after: diagnosis.retry_after,
            recovery: diagnosis.recovery,
        }
    }
}
