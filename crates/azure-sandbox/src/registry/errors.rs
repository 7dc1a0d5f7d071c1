//! A registry's refusals.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::json;

use crate::ids;
use crate::message::{json, set_header};

use super::RegistryState;

/// A refusal: its status, and the content of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<u64>,
}

impl RegistryError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// No role, another audience, another tenant, a scope that nobody has, or no token.
    pub(super) fn unauthorized() -> Self {
        let correlation = ids::guid();
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            format!(
                "authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: {correlation}"
            ),
        )
    }

    /// The token is for another resource than this registry accepts.
    pub(super) fn audience() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "token validation failed")
    }

    pub(super) fn denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", "requested access to the resource is denied")
    }

    pub(super) fn firewall(address: &str) -> Self {
        let message = format!(
            "client with IP '{address}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
        );
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    pub(super) fn malformed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", "the request is malformed")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "", "404 page not found")
    }

    pub(super) fn manifest_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown")
    }

    pub(super) fn throttled(retry_after: Option<u64>) -> Self {
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many requests");
        Self { retry_after, ..refused }
    }

    pub(super) fn failed(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, "UNKNOWN", "unknown error")
    }

    pub(super) fn response(&self, registry: &RegistryState) -> Response<Body> {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message, "detail": null }] });
        let mut response = json(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            let host = &registry.host;
            set_header(
                &mut response,
                "www-authenticate",
                &format!("Bearer realm=\"https://{host}/oauth2/token\",service=\"{host}\""),
            );
        }
        if let Some(seconds) = self.retry_after {
            set_header(&mut response, "retry-after", &seconds.to_string());
        }
        response
    }
}
