//! Key Vault's refusals.
//!
//! Sources: "Common error codes for Azure Key Vault"
//! (<https://learn.microsoft.com/azure/key-vault/general/common-error-codes>), "Key Vault REST API error
//! codes" (<https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>), and the recorded
//! answers in the test suites of Azure's own SDKs.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::json;

use crate::message::{json, set_header};

use super::object::ObjectKind;
use super::shelf::Conflict;

/// A refusal: its status and the content of `error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KeyVaultError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) inner: Option<&'static str>,
    pub(crate) retry_after: Option<u64>,
}

impl KeyVaultError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), inner: None, retry_after: None }
    }

    fn with_inner(mut self, inner: &'static str) -> Self {
        self.inner = Some(inner);
        self
    }

    /// The code in `error.innererror`, or else in `error`.
    #[must_use]
    pub fn cause(&self) -> &str {
        self.inner.unwrap_or(&self.code)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub(crate) fn forbidden(inner: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).with_inner(inner)
    }

    pub(crate) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadParameter", message)
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        Self::bad_parameter(format!("The request URI contains an invalid name: {name}"))
    }

    pub(crate) fn api_version_missing() -> Self {
        Self::bad_parameter("api-version must be specified")
    }

    pub(crate) fn api_version_unknown(version: &str, latest: &str) -> Self {
        Self::bad_parameter(format!(
            "The specified version ({version}) is not recognized. Consider using the latest supported version ({latest})."
        ))
    }

    pub(crate) fn operation_unknown(method: &str) -> Self {
        Self::bad_parameter(format!("Method {method} does not allow operation ''"))
    }

    pub(crate) fn body_malformed() -> Self {
        Self::bad_parameter("Unable to parse the request body as JSON.")
    }

    /// Only for secrets: disabled keys and certificates can be read.
    pub(crate) fn secret_disabled() -> Self {
        Self::forbidden("SecretDisabled", "Operation get is not allowed on a disabled secret.")
    }

    /// A certificate's key or secret can only be changed together with the certificate.
    pub(crate) fn managed(kind: ObjectKind, operation: &str) -> Self {
        let (inner, word) = match kind {
            ObjectKind::Key => ("KeyManagedByKeyVault", "Key"),
            _ => ("SecretManagedByKeyVault", kind.word()),
        };
        Self::forbidden(
            inner,
            format!(
                "Operation \"{operation}\" is not allowed on this {word}, since it is associated with a certificate. \
                 Perform the operation on the corresponding certificate. For more information refer to \
                 https://docs.microsoft.com/en-us/azure/key-vault/certificates/about-certificates#composition-of-a-certificate"
            ),
        )
    }

    /// A certificate cannot be created if its key or secret could not.
    pub(crate) fn name_taken(kind: ObjectKind, name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            format!("A {} with the name {name} exists already, so that no certificate can have it.", kind.word()),
        )
    }

    pub(crate) fn pending_not_found(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "PendingCertificateNotFound",
            format!("A pending operation of the certificate {name} was not found in this key vault."),
        )
    }

    pub(crate) fn not_found(kind: ObjectKind, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            &format!("{}NotFound", kind.title()),
            format!(
                "A {} with (name/id) {id} was not found in this key vault. If you recently deleted this {} you may be \
                 able to recover it using the correct recovery command. For help resolving this issue, please see \
                 https://go.microsoft.com/fwlink/?linkid=2125182",
                kind.word(),
                kind.word()
            ),
        )
    }

    pub(crate) fn deleted_not_found(kind: ObjectKind, name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            &format!("{}NotFound", kind.title()),
            format!("Deleted {} not found: {name}", kind.title()),
        )
    }

    /// The refusal that a conflict causes for a request to a live object.
    pub(crate) fn conflict(kind: ObjectKind, name: &str, conflict: Conflict) -> Self {
        let title = kind.title();
        let of = |inner, message: String| Self::new(StatusCode::CONFLICT, "Conflict", message).with_inner(inner);
        match conflict {
            Conflict::NotFound => Self::not_found(kind, name),
            Conflict::Deleted => of(
                "ObjectIsDeletedButRecoverable",
                format!(
                    "{title} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in \
                     this state, the {} can only be recovered or purged.",
                    kind.word()
                ),
            ),
            Conflict::BeingDeleted => of("ObjectIsBeingDeleted", format!("{title} is currently being deleted.")),
            Conflict::BeingRecovered => of("ObjectIsBeingRecovered", format!("{title} is currently being recovered.")),
        }
    }

    pub(crate) fn throttled(retry_after: Option<u64>) -> Self {
        Self {
            retry_after,
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Throttled",
                "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
            )
        }
    }

    pub(crate) fn failed(status: StatusCode) -> Self {
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Self::new(status, "ServiceUnavailable", "The service is currently unavailable.");
        }
        Self::new(status, "InternalServerError", "An internal server error occurred.")
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(inner), Some(object)) = (self.inner, error.as_object_mut()) {
            object.insert("innererror".to_owned(), json!({ "code": inner }));
        }
        let mut response = json(self.status, &json!({ "error": error }));
        if let Some(seconds) = self.retry_after {
            set_header(&mut response, "retry-after", &seconds.to_string());
        }
        response
    }
}
