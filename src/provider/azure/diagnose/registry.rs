//! Answers of a container registry other than a token.

use std::time::Duration;

use serde::Deserialize;

use super::text::stable;
use super::{Cause, Diagnosis};

/// The body of an error, in the format of the distribution specification.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    errors: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: String,
    message: String,
}

/// Diagnoses an answer of `host` other than a token.
pub(in crate::provider::azure) fn refusal(
    host: &str,
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Diagnosis {
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let Detail { code, message } = body.and_then(|body| body.errors.into_iter().next()).unwrap_or_default();
    let said = if message.is_empty() { String::new() } else { format!(": {} ({})", words(&message), stable(&code)) };
    match (status, code.is_empty()) {
        (300..=399, _) => Diagnosis::redirected(host, status)
            .hint("check the registry's name"),
        (429, _) => Diagnosis::new(Cause::RegistryThrottled, format!("{host} asks to slow down (HTTP 429){said}"))
            .hint("the registry's limit is shared by all that use it: lengthen refreshInterval")
            .retry_after(retry_after),
        (500.., _) => Diagnosis::new(Cause::RegistryFailed, format!("{host} failed (HTTP {status}){said}"))
            .retry_after(retry_after),
        (401, false) => Diagnosis::new(
            Cause::RegistryUnauthorized,
            format!("{host} issues no token to the identity{said}"),
        )
        .hint(
            "assign the identity AcrPull on the registry, or, where the registry decides by ABAC, Container Registry Repository Reader; check that tenantId is the registry's tenant, and that scope names a repository that the role covers; a new role takes a few minutes to work",
        ),
        (403, false) if message.contains("client with IP") => Diagnosis::new(
            Cause::RegistryFirewall,
            format!("{host} refuses the network{said}"),
        )
        .hint(
            "it is the network, not the identity: allow the cluster's address or subnet in the registry's firewall, or use a private endpoint and the DNS zone privatelink.azurecr.io",
        ),
        (403, false) => Diagnosis::new(Cause::RegistryDenied, format!("{host} refuses to issue a token{said}")),
        _ => Diagnosis::new(
            Cause::UnexpectedAnswer,
            format!("{host} answered HTTP {status} and not as a container registry does"),
        )
        .hint("check the registry's name; a proxy may answer in its place: check HTTPS_PROXY and NO_PROXY"),
    }
}

/// Azure's message, without the parts that vary and without the client's address.
fn words(message: &str) -> String {
    let mut words = stable(message);
    if let Some((before, rest)) = words.split_once("client with IP '")
        && let Some((_, after)) = rest.split_once('\'')
    {
        words = format!("{before}client with IP '...'{after}");
    }
    words
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::provider::Class;

    fn body(code: &str, message: &str) -> Vec<u8> {
        serde_json::json!({"errors": [{"code": code, "message": message, "detail": null}]}).to_string().into_bytes()
    }

    const UNAUTHORIZED: &str = "authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: 0e0f1a2b-0000-4000-8000-000000000000";
    const FIREWALL: &str =
        "client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.";

    #[rstest]
    #[case(401, "UNAUTHORIZED", UNAUTHORIZED, Cause::RegistryUnauthorized, Class::Denied, "ABAC")]
    #[case(403, "DENIED", FIREWALL, Cause::RegistryFirewall, Class::Unreachable, "privatelink")]
    #[case(403, "DENIED", "requested access to the resource is denied", Cause::RegistryDenied, Class::Denied, "")]
    #[case(429, "TOOMANYREQUESTS", "too many requests", Cause::RegistryThrottled, Class::Throttled, "refreshInterval")]
    #[case(503, "", "", Cause::RegistryFailed, Class::Unreachable, "")]
    #[case(307, "", "", Cause::Redirected, Class::Unreachable, "name")]
    #[case(404, "", "", Cause::UnexpectedAnswer, Class::Unreachable, "HTTPS_PROXY")]
    fn a_refusal_has_its_class_cause_and_hint_without_ids_and_addresses(
        #[case] status: u16,
        #[case] code: &str,
        #[case] message: &str,
        #[case] cause: Cause,
        #[case] class: Class,
        #[case] in_hint: &str,
    ) {
        let body = if code.is_empty() { Vec::new() } else { body(code, message) };
        let diagnosis = refusal("r.azurecr.io", status, None, &body);
        assert_eq!((diagnosis.cause, diagnosis.cause.class()), (cause, class));
        assert!(diagnosis.hint.as_deref().unwrap_or_default().contains(in_hint), "{diagnosis:?}");
        let said = format!("{diagnosis:?}");
        assert!(!said.contains("203.0.113.7") && !said.contains("0e0f1a2b"), "{said}");
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(status in 300u16..600, body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            refusal("h", status, None, &body);
        }
    }
}
