//! Answers of Key Vault other than what was requested.

use std::time::Duration;

use serde::Deserialize;

use super::text::{stable, value_after};
use super::{Cause, Diagnosis};

/// The body of an error:
/// <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses#error-responses>.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Detail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: Option<String>,
    message: Option<String>,
    innererror: Option<Inner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    code: Option<String>,
}

/// Diagnoses an answer other than success. A body that is not Key Vault's is never taken as a statement about the
/// object: only Key Vault itself can say that something is absent.
pub(in crate::provider::azure) fn refusal(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Diagnosis {
    let detail = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    let message = detail.message.unwrap_or_default();
    let codes = [detail.innererror.and_then(|inner| inner.code), detail.code];
    let codes: Vec<&str> = codes.iter().flatten().map(String::as_str).collect();

    let cause = cause(status, &codes, &message);
    let said = words(&message, &codes);
    let diagnosis = match cause {
        Cause::Redirected => Diagnosis::redirected("the vault", status),
        Cause::UnexpectedAnswer => {
            Diagnosis::new(cause, format!("the answer (HTTP {status}) is not one of Key Vault{}", sentence(&said)))
        }
        _ if said.is_empty() => Diagnosis::new(cause, format!("Key Vault answered HTTP {status}")),
        _ => Diagnosis::new(cause, said),
    };
    let diagnosis = diagnosis.retry_after(retry_after);
    match hint(cause, &message) {
        Some(hint) => diagnosis.hint(hint),
        None => diagnosis,
    }
}

/// Determines the cause, by code first, because one status has many causes.
fn cause(status: u16, codes: &[&str], message: &str) -> Cause {
    codes.iter().find_map(|code| cause_of_code(status, code)).unwrap_or(match status {
        300..=399 => Cause::Redirected,
        401 => Cause::TokenRefused,
        403 if message.contains("Assignment: (not found)") => Cause::ForbiddenByRbac,
        403 if !codes.is_empty() => Cause::Forbidden,
        409 if !codes.is_empty() => Cause::Conflict,
        429 => Cause::VaultThrottled,
        503 => Cause::VaultUnavailable,
        500.. => Cause::VaultFailed,
        400 if !codes.is_empty() => Cause::BadRequest,
        _ => Cause::UnexpectedAnswer,
    })
}

fn cause_of_code(status: u16, code: &str) -> Option<Cause> {
    Some(match (status, code) {
        (403, "ForbiddenByRbac") => Cause::ForbiddenByRbac,
        (403, "AccessDenied") => Cause::AccessDenied,
        (403, "ForbiddenByFirewall") => Cause::ForbiddenByFirewall,
        (403, "ForbiddenByConnection") => Cause::ForbiddenByConnection,
        (403, "SecretDisabled" | "KeyDisabled" | "CertificateDisabled") => Cause::Disabled,
        (404, "SecretNotFound") => Cause::SecretNotFound,
        (404, "KeyNotFound") => Cause::KeyNotFound,
        (404, "CertificateNotFound") => Cause::CertificateNotFound,
        (409, "ObjectIsDeletedButRecoverable") => Cause::DeletedButRecoverable,
        (409, "ObjectIsBeingDeleted") => Cause::BeingDeleted,
        (409, "ObjectIsBeingRecovered") => Cause::BeingRecovered,
        (403, "SecretManagedByKeyVault" | "KeyManagedByKeyVault") => Cause::PartOfCertificate,
        (403, "ForbiddenByGovernancePolicy") => Cause::ForbiddenByPolicy,
        _ => return None,
    })
}

/// Azure's own words and the most specific code.
fn words(message: &str, codes: &[&str]) -> String {
    match (stable(message), codes.first()) {
        (message, None) => message,
        (message, Some(code)) if message.is_empty() => stable(code),
        (message, Some(code)) => format!("{message} ({})", stable(code)),
    }
}

fn sentence(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// The least privileged role that allows the refused action:
/// <https://learn.microsoft.com/azure/key-vault/general/rbac-guide>.
fn role_for(message: &str) -> &'static str {
    match value_after(message, "Action: '") {
        Some(action) if action.contains("/keys/") && is_write(action) => "Key Vault Crypto Officer",
        Some(action) if action.contains("/certificates/") && is_write(action) => "Key Vault Certificates Officer",
        Some(action) if is_write(action) => "Key Vault Secrets Officer",
        Some(action) if action.contains("/keys/") => "Key Vault Crypto User",
        Some(action) if action.contains("/certificates/") => "Key Vault Certificate User",
        _ => "Key Vault Secrets User",
    }
}

/// Whether an action changes something. Those of reads end with `/read`, `/getSecret/action` and the like.
fn is_write(action: &str) -> bool {
    const ENDS: [&str; 7] = [
        "/write",
        "/delete",
        "/setSecret/action",
        "/import/action",
        "/recover/action",
        "/update/action",
        "/create/action",
    ];
    ENDS.iter().any(|end| action.ends_with(end))
}

fn hint(cause: Cause, message: &str) -> Option<String> {
    let who = value_after(message, "oid=")
        .map_or_else(|| "the identity".to_owned(), |oid| format!("the identity with object id {oid}"));
    Some(match cause {
        Cause::TokenRefused if message.contains("AKV10032") => {
            "the token's tenant is not the vault's: set tenantId to the tenant of the vault".to_owned()
        }
        Cause::TokenRefused => "check that vaultUrl and environmentType are of the same cloud".to_owned(),
        Cause::ForbiddenByRbac => {
            let role = role_for(message);
            format!("assign the role {role} on the vault to {who}; it takes a few minutes to work")
        }
        Cause::AccessDenied => {
            let kind = ["keys ", "certificates "].into_iter().find(|kind| message.contains(kind)).unwrap_or_default();
            // Only a search needs to list.
            let writes = ["set", "delete", "recover", "import", "update"];
            let write = writes.into_iter().find(|word| message.contains(&format!(" {word} permission")));
            let permission = match write {
                Some(word) => format!("permissions get and {word}"),
                None if message.contains(" list permission") => "permissions get and list".to_owned(),
                None => "permission get".to_owned(),
            };
            format!(
                "the vault uses access policies: add one with the {kind}{permission} for {who}; role assignments do not help"
            )
        }
        Cause::ForbiddenByFirewall => {
            let address = value_after(message, "Client address:").unwrap_or("the cluster's egress address");
            format!("the network is refused, not the identity: allow {address} or the subnet in the vault's firewall")
        }
        Cause::ForbiddenByConnection => {
            "public access to the vault is off: use a private endpoint and its DNS zone".to_owned()
        }
        Cause::Disabled => "enable it, or pin an enabled version with remoteRef.version".to_owned(),
        Cause::SecretNotFound | Cause::KeyNotFound | Cause::CertificateNotFound => {
            "check the name, the prefix key/ or cert/, and the vault; it may be deleted and recoverable".to_owned()
        }
        Cause::DeletedButRecoverable => "recover or purge the deleted object".to_owned(),
        Cause::BeingDeleted => "wait until it is deleted".to_owned(),
        Cause::BeingRecovered | Cause::Conflict => "it is tried again after some seconds".to_owned(),
        Cause::PartOfCertificate => {
            "the name is that of a certificate: write to cert/NAME, or use another name".to_owned()
        }
        Cause::ForbiddenByPolicy => {
            "an Azure Policy asks for a content type, an expiration date or a size of key: set what it asks for in metadata.spec".to_owned()
        }
        Cause::VaultThrottled => {
            "the vault's limit is shared by all that use it: lengthen refreshInterval, or use more vaults".to_owned()
        }
        Cause::Redirected => "check vaultUrl".to_owned(),
        Cause::UnexpectedAnswer => "a proxy may answer in its place: check HTTPS_PROXY and NO_PROXY".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::provider::Class;

    fn body(code: &str, inner: &str, message: &str) -> Vec<u8> {
        serde_json::json!({"error": {"code": code, "message": message, "innererror": {"code": inner}}})
            .to_string()
            .into_bytes()
    }

    const RBAC: &str = "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=app;oid=object;iss=https://sts.windows.net/t/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nAssignment: (not found)\r\nVault: v;location=westeurope\r\n";

    #[rstest]
    #[case::rbac(403, "Forbidden", "ForbiddenByRbac", RBAC, Class::Denied, "ForbiddenByRbac", "object id object")]
    #[case::rbac_without_inner_code(403, "Forbidden", "", RBAC, Class::Denied, "ForbiddenByRbac", "Secrets User")]
    #[case::policy(
        403,
        "Forbidden",
        "AccessDenied",
        "The user, group or application 'appid=a;oid=object;iss=i' does not have secrets get permission on key vault 'v;location=l'.",
        Class::Denied,
        "AccessDenied",
        "object id object"
    )]
    #[case::policy_of_keys(
        403,
        "Forbidden",
        "AccessDenied",
        "The user, group or application 'appid=a;oid=object;iss=i' does not have keys get permission on key vault 'v;location=l'.",
        Class::Denied,
        "AccessDenied",
        "the keys permission get for"
    )]
    #[case::rbac_of_keys(
        403,
        "Forbidden",
        "ForbiddenByRbac",
        "Caller: oid=object Action: 'Microsoft.KeyVault/vaults/keys/read' Assignment: (not found)",
        Class::Denied,
        "ForbiddenByRbac",
        "Key Vault Crypto User"
    )]
    #[case::rbac_of_certificates(
        403,
        "Forbidden",
        "ForbiddenByRbac",
        "Caller: oid=object Action: 'Microsoft.KeyVault/vaults/certificates/read' Assignment: (not found)",
        Class::Denied,
        "ForbiddenByRbac",
        "Key Vault Certificate User"
    )]
    #[case::firewall(
        403,
        "Forbidden",
        "ForbiddenByFirewall",
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 20.1.2.3:4711\r\nCaller: x",
        Class::Unreachable,
        "ForbiddenByFirewall",
        "allow 20.1.2.3"
    )]
    #[case::private(
        403,
        "Forbidden",
        "ForbiddenByConnection",
        "Public network access is disabled.",
        Class::Unreachable,
        "ForbiddenByConnection",
        "private endpoint"
    )]
    #[case::disabled(
        403,
        "Forbidden",
        "SecretDisabled",
        "Operation get is not allowed on a disabled secret.",
        Class::Disabled,
        "SecretDisabled",
        "enable it"
    )]
    #[case::absent(
        404,
        "SecretNotFound",
        "",
        "A secret with (name/id) x was not found in this key vault.",
        Class::Absent,
        "SecretNotFound",
        "recoverable"
    )]
    #[case::tenant(
        401,
        "Unauthorized",
        "",
        "AKV10032: Invalid issuer.",
        Class::Unauthenticated,
        "Unauthorized",
        "tenantId"
    )]
    #[case::deleted(
        409,
        "Conflict",
        "ObjectIsDeletedButRecoverable",
        "m",
        Class::SoftDeleted,
        "ObjectIsDeletedButRecoverable",
        "recover or purge"
    )]
    #[case::throttled(
        429,
        "Throttled",
        "",
        "VaultRequestTypeLimitReached",
        Class::Throttled,
        "Throttled",
        "shared by all"
    )]
    fn a_refusal_has_its_class_label_and_hint(
        #[case] status: u16,
        #[case] code: &str,
        #[case] inner: &str,
        #[case] message: &str,
        #[case] class: Class,
        #[case] label: &str,
        #[case] in_hint: &str,
    ) {
        let diagnosis = refusal(status, None, &body(code, inner, message));
        assert_eq!(diagnosis.cause.class(), class);
        assert_eq!(diagnosis.cause.label(), label);
        let hint = diagnosis.hint.unwrap_or_default();
        assert!(hint.contains(in_hint), "{hint}");
        assert!(diagnosis.message.starts_with(&stable(message)), "{}", diagnosis.message);
    }

    #[rstest]
    #[case::page_of_a_proxy(404, b"<html>not found</html>", Class::Unreachable)]
    #[case::another_service(404, br#"{"error":{"code":"ResourceNotFound"}}"#, Class::Unreachable)]
    #[case::no_body(404, b"", Class::Unreachable)]
    #[case::page_of_a_firewall(403, b"<html>", Class::Unreachable)]
    #[case::code_under_another_status(500, br#"{"error":{"code":"SecretNotFound"}}"#, Class::Unreachable)]
    fn only_key_vault_itself_can_say_that_a_secret_is_absent_or_denied(
        #[case] status: u16,
        #[case] body: &[u8],
        #[case] class: Class,
    ) {
        assert_eq!(refusal(status, None, body).cause.class(), class);
    }

    #[rstest]
    #[case(503, Cause::VaultUnavailable)]
    #[case(500, Cause::VaultFailed)]
    #[case(302, Cause::Redirected)]
    fn a_status_without_a_body_is_enough_for_an_outage(#[case] status: u16, #[case] cause: Cause) {
        assert_eq!(refusal(status, None, b"").cause, cause);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(status in 300u16..600, body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            refusal(status, None, &body);
        }
    }
}
