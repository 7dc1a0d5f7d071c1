//! Checks that `docs/troubleshooting.md` quotes what the program says.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::entra::{Claims, Presented};
use super::{Cause, EntraCode, entra, network, vault};

const PAGE: &str = include_str!("../../../../docs/troubleshooting.md");
const HOST: &str = "my-key-container.vault.azure.net";

/// Entra ID's codes that have a hint.
const NUMBERS: [u64; 15] = [
    70_021, 70_025, 700_223, 700_238, 700_211, 700_212, 700_213, 7_002_138, 700_016, 90_002, 700_024, 70_023,
    7_000_215, 7_000_222, 700_027,
];

#[test]
fn the_page_has_every_refusal_of_entra_with_its_remedy() {
    let presented = Presented {
        client_id: "CLIENT-ID".to_owned(),
        tenant_id: "TENANT-ID".to_owned(),
        authority: "login.microsoftonline.com".to_owned(),
        assertion: Some(Claims { issuer: "i".to_owned(), subject: "s".to_owned(), audience: "a".to_owned() }),
    };
    let token = "the token has issuer \"i\", subject \"s\" and audience \"a\"";
    for number in NUMBERS {
        let code = EntraCode::of(number);
        let hint = entra::hint(code, &presented).expect("a known number has a hint").replace(token, "TOKEN");
        let label = Cause::EntraRefused(code).label();
        assert!(PAGE.lines().any(|line| line.contains(label) && line.contains(&hint)), "{label}: {hint}");
    }
}

#[test]
fn the_page_has_every_refusal_of_a_vault_with_its_remedy() {
    const RIGHTS: &str = "Caller: appid=a;oid=OBJECT-ID;iss=i Action: 'Microsoft.KeyVault/vaults/";
    let cases = [
        (403, "ForbiddenByRbac", format!("{RIGHTS}secrets/getSecret/action'")),
        (403, "ForbiddenByRbac", format!("{RIGHTS}keys/read'")),
        (403, "ForbiddenByRbac", format!("{RIGHTS}certificates/read'")),
        (403, "AccessDenied", "'oid=OBJECT-ID;iss=i' does not have secrets get permission".to_owned()),
        (403, "AccessDenied", "'oid=OBJECT-ID;iss=i' does not have secrets list permission".to_owned()),
        (403, "ForbiddenByFirewall", "Client address: 20.1.2.3".to_owned()),
        (403, "ForbiddenByConnection", String::new()),
        (403, "SecretDisabled", String::new()),
        (404, "SecretNotFound", String::new()),
        (404, "KeyNotFound", String::new()),
        (404, "CertificateNotFound", String::new()),
        (409, "ObjectIsDeletedButRecoverable", String::new()),
        (409, "ObjectIsBeingDeleted", String::new()),
        (429, "Throttled", String::new()),
        (401, "Unauthorized", "AKV10032: Invalid issuer.".to_owned()),
        (401, "Unauthorized", String::new()),
    ];
    for (status, code, message) in cases {
        let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
        let diagnosis = vault::refusal(status, None, body.as_bytes());
        let (label, hint) = (diagnosis.cause.label(), diagnosis.hint.expect(code));
        assert!(PAGE.lines().any(|line| line.contains(label) && line.contains(&hint)), "{label}: {hint}");
    }
}

#[test]
fn the_page_has_every_failure_of_the_network_with_its_remedy() {
    let certificate = rustls::Error::InvalidCertificate;
    let lookup = |why| io::Error::other(format!("failed to lookup address information: {why}"));
    let cases: [Box<dyn Error>; 8] = [
        Box::new(lookup("Name or service not known")),
        Box::new(lookup("Temporary failure in name resolution")),
        Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
        Box::new(io::Error::from(io::ErrorKind::TimedOut)),
        Box::new(io::Error::other("tunnel error: unsuccessful")),
        Box::new(certificate(CertificateError::NotValidForName)),
        Box::new(certificate(CertificateError::UnknownIssuer)),
        Box::new(certificate(CertificateError::Expired)),
    ];
    for error in cases {
        let diagnosis = network::failure(HOST, &*error);
        let said = diagnosis.message.split(": ").next().unwrap_or_default();
        let hint = diagnosis.hint.expect("a failure that somebody can fix");
        assert!(PAGE.lines().any(|line| line.contains(said) && line.contains(&hint)), "{said}: {hint}");
    }
}
