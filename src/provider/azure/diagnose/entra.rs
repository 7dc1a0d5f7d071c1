//! Answers of Entra ID's token endpoint, and of the machine's identity endpoint, other than a token.

use std::time::Duration;

use serde::Deserialize;

use super::text::stable;
use super::{Cause, Diagnosis, EntraCode};

/// The body of a refusal, in the format of OAuth 2 (RFC 6749, section 5.2) and Entra ID.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    error_codes: Vec<u64>,
}

/// What was presented to Entra ID, for hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provider::azure) struct Presented {
    /// The client id.
    pub(in crate::provider::azure) client_id: String,
    /// The tenant.
    pub(in crate::provider::azure) tenant_id: String,
    /// The authority's host.
    pub(in crate::provider::azure) authority: String,
    /// The claims of the assertion, if there was one.
    pub(in crate::provider::azure) assertion: Option<Claims>,
}

/// The claims that a federated credential is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provider::azure) struct Claims {
    /// `iss`
    pub(in crate::provider::azure) issuer: String,
    /// `sub`
    pub(in crate::provider::azure) subject: String,
    /// `aud`; several are joined with commas.
    pub(in crate::provider::azure) audience: String,
}

/// Diagnoses an answer of `host` other than a token. The hint depends on what was presented: see [`hint`].
pub(in crate::provider::azure) fn refusal(
    host: &str,
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Diagnosis {
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let said = refusal.as_ref().map_or_else(String::new, Refusal::words);
    match (status, refusal) {
        (300..=399, _) => Diagnosis::redirected(host, status)
            .hint("check environmentType and customCloudConfig.activeDirectoryEndpoint"),
        (429, _) => Diagnosis::new(Cause::EntraThrottled, format!("{host} asks to slow down (HTTP 429){said}"))
            .retry_after(retry_after),
        (500.., _) => Diagnosis::new(Cause::EntraUnavailable, format!("{host} failed (HTTP {status}){said}"))
            .retry_after(retry_after),
        (_, Some(refusal)) if refusal.error == "temporarily_unavailable" => {
            Diagnosis::new(Cause::EntraUnavailable, format!("{host} is not available for now{said}"))
                .retry_after(retry_after)
        }
        (_, Some(refusal)) if refusal.is_refusal() => {
            Diagnosis::new(Cause::EntraRefused(refusal.code()), format!("{host} refused to issue a token{said}"))
        }
        _ => Diagnosis::new(
            Cause::UnexpectedAnswer,
            format!("{host} answered HTTP {status} and not as a token endpoint does"),
        )
        .hint("a proxy may answer in its place: check HTTPS_PROXY and NO_PROXY"),
    }
}

/// Diagnoses an answer of the machine's identity endpoint other than a token.
pub(in crate::provider::azure) fn machine_refusal(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Diagnosis {
    const HOST: &str = "the machine's identity endpoint";
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let said = refusal.words();
    match status {
        400 if refusal.code() == EntraCode::ResourceUnknown => Diagnosis::new(
            Cause::EntraRefused(EntraCode::ResourceUnknown),
            format!("{HOST} refused to issue a token{said}"),
        ),
        400 => Diagnosis::new(Cause::ManagedIdentityMissing, format!("{HOST} refused to issue a token{said}"))
            .hint("assign the identity to the node pool's machines, and set identityId to its client id"),
        404 | 410 | 429 => Diagnosis::new(Cause::EntraThrottled, format!("{HOST} is busy (HTTP {status}){said}"))
            .retry_after(retry_after),
        500.. => Diagnosis::new(Cause::EntraUnavailable, format!("{HOST} failed (HTTP {status}){said}"))
            .retry_after(retry_after),
        _ => Diagnosis::new(Cause::UnexpectedAnswer, format!("{HOST} answered HTTP {status}{said}")),
    }
}

impl Refusal {
    fn is_refusal(&self) -> bool {
        !self.error.is_empty() || !self.error_description.is_empty()
    }

    fn code(&self) -> EntraCode {
        let named = self.error_codes.first().copied().or_else(|| {
            let digits = self.error_description.strip_prefix("AADSTS")?;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits[..end].parse().ok()
        });
        named.map_or(EntraCode::Other, EntraCode::of)
    }

    /// Its own words, to be appended to a sentence.
    fn words(&self) -> String {
        match (self.error_description.is_empty(), self.error.is_empty()) {
            (false, _) => format!(": {}", stable(&self.error_description)),
            (true, false) => format!(": {}", stable(&self.error)),
            (true, true) => String::new(),
        }
    }
}

/// What to change after a refusal with `code`, given what was presented.
pub(in crate::provider::azure) fn hint(code: EntraCode, presented: &Presented) -> Option<String> {
    let Presented { client_id, tenant_id, authority, assertion } = presented;
    let token = assertion.as_ref().map_or_else(
        || "the token".to_owned(),
        |claims| {
            format!(
                "the token has issuer \"{}\", subject \"{}\" and audience \"{}\"",
                claims.issuer, claims.subject, claims.audience
            )
        },
    );
    let hint = match code {
        EntraCode::NoMatchingFederation => format!(
            "{token}; a federated credential of the application or identity {client_id} must name exactly these; a new one takes a few minutes to work"
        ),
        EntraCode::NoFederation => {
            format!("create a federated credential on the application or identity {client_id}; {token}")
        }
        EntraCode::FederationForbidden | EntraCode::FederationIssuerForbidden => {
            format!(
                "a policy of tenant {tenant_id} forbids this federation; ask the directory's administrator; {token}"
            )
        }
        EntraCode::AssertionIssuer => format!(
            "the federated credential's issuer must be the cluster's OIDC issuer URL, also in its trailing slash (a rebuilt cluster has another); {token}"
        ),
        EntraCode::AssertionAudience => format!(
            "the federated credential's audience must be api://AzureADTokenExchange, that of the sovereign cloud, or one of azurekv.serviceAccountRef.audiences; {token}"
        ),
        EntraCode::AssertionSubject | EntraCode::AssertionSubjectCase => format!(
            "the federated credential's subject must equal system:serviceaccount:NAMESPACE:NAME of the service account, also in upper and lower case; {token}"
        ),
        EntraCode::ApplicationNotFound => format!(
            "check the client id {client_id} (the application's client id, not its object id) and that it is in tenant {tenant_id}"
        ),
        EntraCode::TenantNotFound => {
            format!("check tenantId {tenant_id}, and environmentType, which leads to {authority}")
        }
        EntraCode::AssertionOutsideTime if assertion.is_none() => "check the clock of the controller's node".to_owned(),
        EntraCode::AssertionOutsideTime => {
            "the service account's token is stale or the clocks differ: check the token file's age and the clocks of the node and the control plane".to_owned()
        }
        EntraCode::AssertionTooLong => {
            "AZURE_FEDERATED_TOKEN_FILE does not name workload identity's projected token".to_owned()
        }
        EntraCode::ClientSecretInvalid => {
            "the Secret must hold the client secret's value, not its id".to_owned()
        }
        EntraCode::ClientSecretExpired => {
            format!("create a new client secret for {client_id} and put its value into the Secret")
        }
        EntraCode::CertificateRefused => format!(
            "register the certificate of azurekv.authSecretRef.clientCertificate with the application {client_id}, or put a registered one with its key into the Secret"
        ),
        EntraCode::ResourceUnknown => {
            format!("check that tenant {tenant_id} and environmentType are those of what the token is for")
        }
        EntraCode::Other => return None,
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::provider::Class;

    fn presented() -> Presented {
        Presented {
            client_id: "the-client".to_owned(),
            tenant_id: "the-tenant".to_owned(),
            authority: "login.microsoftonline.com".to_owned(),
            assertion: Some(Claims {
                issuer: "https://issuer.example/".to_owned(),
                subject: "system:serviceaccount:team-a:reader".to_owned(),
                audience: "api://AzureADTokenExchange".to_owned(),
            }),
        }
    }

    fn refused(number: u64) -> Diagnosis {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{number}: Azure's words. Trace ID: a Correlation ID: b Timestamp: 2025-04-18 16:04:37Z","error_codes":[{number}]}}"#
        );
        refusal("login.microsoftonline.com", 401, None, body.as_bytes())
    }

    #[rstest]
    #[case(70021, "AADSTS70021", "subject \"system:serviceaccount:team-a:reader\"")]
    #[case(70025, "AADSTS70025", "create a federated credential")]
    #[case(700_223, "AADSTS700223", "administrator")]
    #[case(700_238, "AADSTS700238", "administrator")]
    #[case(700_211, "AADSTS700211", "issuer \"https://issuer.example/\"")]
    #[case(700_212, "AADSTS700212", "audience \"api://AzureADTokenExchange\"")]
    #[case(700_213, "AADSTS700213", "system:serviceaccount:NAMESPACE:NAME")]
    #[case(7_002_138, "AADSTS7002138", "upper and lower case")]
    #[case(700_016, "AADSTS700016", "the-client")]
    #[case(90002, "AADSTS90002", "the-tenant")]
    #[case(700_024, "AADSTS700024", "clocks")]
    #[case(700_027, "AADSTS700027", "register the certificate")]
    #[case(70023, "AADSTS70023", "AZURE_FEDERATED_TOKEN_FILE")]
    #[case(7_000_215, "AADSTS7000215", "not its id")]
    #[case(7_000_222, "AADSTS7000222", "new client secret")]
    fn a_known_code_has_its_label_and_hint(#[case] number: u64, #[case] label: &str, #[case] in_hint: &str) {
        let diagnosis = refused(number);
        assert_eq!(diagnosis.cause.label(), label);
        assert_eq!(diagnosis.cause.class(), Class::Unauthenticated);
        assert_eq!(
            diagnosis.message,
            format!("login.microsoftonline.com refused to issue a token: AADSTS{number}: Azure's words.")
        );
        let Cause::EntraRefused(code) = diagnosis.cause else { panic!("{diagnosis:?}") };
        let hint = hint(code, &presented()).unwrap();
        assert!(hint.contains(in_hint), "{hint}");
    }

    #[test]
    fn an_unknown_code_keeps_azures_words_and_has_no_hint() {
        let diagnosis = refused(50_034);
        assert_eq!(diagnosis.cause, Cause::EntraRefused(EntraCode::Other));
        assert!(diagnosis.message.contains("AADSTS50034"), "{}", diagnosis.message);
        assert_eq!(hint(EntraCode::Other, &presented()), None);
    }

    #[test]
    fn the_code_is_found_in_the_description_when_the_list_is_missing() {
        let diagnosis = refusal("h", 400, None, br#"{"error":"x","error_description":"AADSTS70021: y"}"#);
        assert_eq!(diagnosis.cause, Cause::EntraRefused(EntraCode::NoMatchingFederation));
    }

    #[rstest]
    #[case::throttled(429, b"", Cause::EntraThrottled)]
    #[case::failing(503, b"", Cause::EntraUnavailable)]
    #[case::temporarily(400, br#"{"error":"temporarily_unavailable"}"#, Cause::EntraUnavailable)]
    #[case::redirect(302, b"", Cause::Redirected)]
    #[case::page_of_a_proxy(403, b"<html>", Cause::UnexpectedAnswer)]
    #[case::empty_object(400, b"{}", Cause::UnexpectedAnswer)]
    fn other_answers_have_other_causes(#[case] status: u16, #[case] body: &[u8], #[case] cause: Cause) {
        assert_eq!(refusal("h", status, None, body).cause, cause);
    }

    #[test]
    fn a_wait_of_an_hour_is_capped() {
        let diagnosis = refusal("h", 429, Some(Duration::from_hours(1)), b"");
        assert_eq!(diagnosis.retry_after, Some(super::super::RETRY_AFTER_CAP));
    }

    #[rstest]
    #[case(400, Cause::ManagedIdentityMissing)]
    #[case(429, Cause::EntraThrottled)]
    #[case(500, Cause::EntraUnavailable)]
    #[case(405, Cause::UnexpectedAnswer)]
    fn the_machines_endpoint_has_its_own_causes(#[case] status: u16, #[case] cause: Cause) {
        assert_eq!(machine_refusal(status, None, b"").cause, cause);
    }
}
