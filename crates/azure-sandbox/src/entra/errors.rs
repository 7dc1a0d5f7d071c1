//! Entra ID's refusals.
//!
//! Sources: "Microsoft Entra authentication and authorization error codes"
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>) and bodies that people
//! have published in issues of Azure's own repositories.

use axum::body::Body;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::ids;
use crate::message::{json, set_header};

/// A refusal: its number and the text after `AADSTSnnnnn: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntraError {
    pub(crate) code: u32,
    message: String,
    kind: Kind,
    retry_after: Option<u64>,
}

/// OAuth's code for a refusal, which determines the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    InvalidRequest,
    InvalidClient,
    InvalidResource,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    Unavailable,
    Throttled,
    Failed,
}

impl Kind {
    const fn of(code: u32) -> Self {
        match code {
            70_011 | 1_002_012 => Self::InvalidScope,
            70_003 => Self::UnsupportedGrantType,
            500_011 => Self::InvalidResource,
            700_016 => Self::UnauthorizedClient,
            90_002 | 900_023 | 900_144 | 50_027 => Self::InvalidRequest,
            90_055 => Self::Throttled,
            90_033 => Self::Unavailable,
            50_000 => Self::Failed,
            _ => Self::InvalidClient,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidResource => "invalid_resource",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::Unavailable | Self::Throttled => "temporarily_unavailable",
            Self::Failed => "server_error",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

const FEDERATION_DOCS: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

impl EntraError {
    fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), kind: Kind::of(code), retry_after: None }
    }

    pub(crate) fn tenant_not_found(tenant: &str) -> Self {
        Self::new(
            90_002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
                 correct cloud. Check with your subscription administrator, this may happen if there are no active \
                 subscriptions for the tenant."
            ),
        )
    }

    pub(crate) fn tenant_malformed(tenant: &str) -> Self {
        Self::new(
            900_023,
            format!("Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."),
        )
    }

    pub(crate) fn parameter_missing(name: &str) -> Self {
        Self::new(900_144, format!("The request body must contain the following parameter: '{name}'."))
    }

    pub(crate) fn credential_missing() -> Self {
        Self::new(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    }

    pub(crate) fn grant_unsupported(grant: &str) -> Self {
        Self::new(
            70_003,
            format!("The app requested an unsupported grant type '{grant}'. Please provide a supported grant type."),
        )
    }

    pub(crate) fn application_not_found(client_id: &str, tenant: &str) -> Self {
        Self::new(
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if \
                 the application has not been installed by the administrator of the tenant or consented to by any user \
                 in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(crate) fn resource_not_found(resource: &str, tenant: &str) -> Self {
        Self::new(
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if \
                 the application has not been installed by the administrator of the tenant or consented to by any user \
                 in the tenant. You might have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(crate) fn scope_without_default(scope: &str) -> Self {
        Self::new(
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    }

    pub(crate) fn secret_invalid(client_id: &str) -> Self {
        Self::new(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                 not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
    }

    pub(crate) fn secret_expired(client_id: &str) -> Self {
        Self::new(
            7_000_222,
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new \
                 keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added \
                 security: https://aka.ms/certCreds."
            ),
        )
    }

    pub(crate) fn assertion_malformed() -> Self {
        Self::new(50_027, "JWT token is invalid or malformed.")
    }

    pub(crate) fn no_federated_credentials(client_id: &str) -> Self {
        Self::new(
            70_025,
            format!("The client '{client_id}'({client_id}) has no configured federated identity credentials."),
        )
    }

    pub(crate) fn issuer_unreachable() -> Self {
        Self::new(90_061, "Request to External OIDC endpoint failed.")
    }

    pub(crate) fn signing_key_unknown(key_id: &str, issuer: &str) -> Self {
        Self::new(
            7_000_272,
            format!(
                "The certificate with identifier {key_id} used to sign the federated credential could not be found in \
                 the metadata of identity provider {issuer}. Please validate that your Identity Provider's metadata \
                 exposes the key used to sign the incoming token."
            ),
        )
    }

    pub(crate) fn signature_wrong(key_id: &str) -> Self {
        Self::new(
            50_013,
            format!(
                "Assertion failed signature validation. [Reason - The provided signature value did not match the \
                 expected signature value., Thumbprint of key used by client: '{key_id}']"
            ),
        )
    }

    pub(crate) fn certificate_unknown(thumbprint: &str, client_id: &str) -> Self {
        Self::of_certificate("The key was not found.", thumbprint, client_id)
    }

    pub(crate) fn certificate_signature_wrong(thumbprint: &str, client_id: &str) -> Self {
        let reason = "The provided signature value did not match the expected signature value.";
        Self::of_certificate(reason, thumbprint, client_id)
    }

    fn of_certificate(reason: &str, thumbprint: &str, client_id: &str) -> Self {
        Self::new(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. \
                 [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, \
                 Graph Explorer or directly use MS Graph to see configured keys for app Id '{client_id}'."
            ),
        )
    }

    pub(crate) fn assertion_of_another_application() -> Self {
        Self::new(700_021, "Client assertion application identifier doesn't match 'client_id' parameter.")
    }

    pub(crate) fn assertion_for_another_audience() -> Self {
        Self::new(700_023, "Client assertion audience claim does not match Realm issuer.")
    }

    /// No credential matches the issuer (700211), audience (700212) or subject (700213).
    pub(crate) fn no_match(part: AssertionPart, presented: &str) -> Self {
        Self::new(
            part.code(),
            format!(
                "No matching federated identity record found for presented assertion {} '{presented}'. Check your \
                 federated identity credential Subject, Audience and Issuer against the presented assertion. \
                 {FEDERATION_DOCS}",
                part.word()
            ),
        )
    }

    pub(crate) fn subject_differs_in_case(subject: &str) -> Self {
        Self::new(
            7_002_138,
            format!(
                "No matching federated identity record found for presented assertion subject '{subject}'. The subject \
                 matches with case-insensitive comparison, but not with case-sensitive comparison. Check your federated \
                 identity credential Subject, Audience and Issuer against the presented assertion. See documentation at: \
                 {FEDERATION_DOCS}."
            ),
        )
    }

    /// Each part matches some credential, but no single credential matches them all.
    pub(crate) fn no_matching_record(issuer: &str, subject: &str, audience: &str) -> Self {
        Self::new(
            70_021,
            format!(
                "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. \
                 Assertion Subject: '{subject}'. Assertion Audience: '{audience}'. {FEDERATION_DOCS}"
            ),
        )
    }

    pub(crate) fn assertion_outside_validity(now: Timestamp, from: Timestamp, until: Timestamp) -> Self {
        Self::new(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {now:.7}, assertion valid from \
                 {from:.7}, expiry time of assertion {until:.7}. Review the documentation at \
                 https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
            ),
        )
    }

    pub(crate) fn assertion_lives_too_long(issued_at: i64, expires_at: i64) -> Self {
        Self::new(
            70_023,
            format!(
                "External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00. Token issued at \
                 {issued_at}. Token expires on {expires_at}."
            ),
        )
    }

    pub(crate) fn throttled(retry_after: Option<u64>) -> Self {
        Self { retry_after, ..Self::new(90_055, "There are too many incoming requests.") }
    }

    pub(crate) fn failed(status: u16) -> Self {
        if status == 503 {
            return Self::new(90_033, "A transient error has occurred. Please try again.");
        }
        Self::new(50_000, "There was an error issuing a token or an issue with our sign-in service.")
    }

    /// A refusal that a fault demands, with a text that names the cause.
    pub(crate) fn injected(code: u32) -> Self {
        match code {
            700_223 | 700_238 => {
                Self::new(code, "Federation of this workload identity is not allowed by the policy of the tenant.")
            }
            _ => Self::new(code, "The request was refused by a fault of the sandbox."),
        }
    }

    /// The answer; `correlation_id` is what the client sent as `client-request-id`.
    pub(crate) fn response(&self, now: Timestamp, correlation_id: Option<&str>) -> Response<Body> {
        let trace_id = ids::guid();
        let correlation_id = correlation_id.map_or_else(ids::guid, str::to_owned);
        let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": self.kind.word(),
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}",
                self.code, self.message
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        let mut response = json(self.kind.status(), &body);
        set_header(&mut response, "x-ms-request-id", &trace_id);
        if let Some(seconds) = self.retry_after {
            set_header(&mut response, "retry-after", &seconds.to_string());
        }
        response
    }

    /// Whether the answer is 429.
    pub(crate) const fn is_throttling(&self) -> bool {
        matches!(self.kind, Kind::Throttled)
    }
}

/// The parts of an assertion that are compared with a federated credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AssertionPart {
    Issuer,
    Audience,
    Subject,
}

impl AssertionPart {
    const fn code(self) -> u32 {
        match self {
            Self::Issuer => 700_211,
            Self::Audience => 700_212,
            Self::Subject => 700_213,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Subject => "subject",
        }
    }
}
