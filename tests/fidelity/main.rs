//! Microsoft's own, unmodified SDK against the sandbox: what the SDK accepts, a real vault could have answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod rust;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use external_secrets::sandbox::{
    Application, CertificatePermission, Config, Fault, Governance, KeyPermission, Limit, Role, Sandbox,
    SecretPermission, ServiceAccountIssuer, ServiceAccountToken, Vault,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

const CLIENT_ID: &str = "0a1b2c3d-0000-4000-8000-000000000001";

/// A vault with one secret.
fn vault(sandbox: &Sandbox, name: &str) -> Vault {
    let vault = sandbox.vault(name).unwrap();
    vault.set_secret("db-password", "correct horse").unwrap();
    vault
}

/// The vaults that the script uses, and the variables that tell it their addresses.
fn vaults(sandbox: &Sandbox, application: &Application) -> Vec<(&'static str, String)> {
    // Deletion takes a while, as in a real vault, so the SDK must wait for it.
    let open = vault(sandbox, "fidelity-kv")
        .allow(application, SecretPermission::ALL)
        .allow(application, KeyPermission::ALL)
        .allow(application, CertificatePermission::ALL)
        .set_transition(Duration::from_secs(1));
    let policies = vault(sandbox, "fidelity-policy-kv");
    let roles = vault(sandbox, "fidelity-role-kv").assign_on_secret(application, Role::SecretsUser, "another");
    let foreign = vault(sandbox, "fidelity-foreign-kv")
        .in_tenant(&sandbox.tenant("22222222-2222-4222-8222-222222222222"))
        .allow(application, SecretPermission::Get);
    let throttled = vault(sandbox, "fidelity-throttled-kv").allow(application, SecretPermission::Get);
    throttled.fault(Fault::throttle(Some(2)));
    let all = |name| {
        vault(sandbox, name)
            .allow(application, SecretPermission::ALL)
            .allow(application, KeyPermission::ALL)
            .allow(application, CertificatePermission::ALL)
    };
    let limited = all("fidelity-limited-kv").set_limit_of_writes(Some(Limit { served: 2, retry_after: None }));
    let governed = all("fidelity-governed-kv").govern(Governance { content_type: true, expires: true });
    let slow = all("fidelity-slow-kv").set_transition(Duration::from_secs(3));
    vec![
        ("FIDELITY_VAULT_URL", open.url()),
        ("FIDELITY_POLICY_VAULT_URL", policies.url()),
        ("FIDELITY_ROLE_VAULT_URL", roles.url()),
        ("FIDELITY_FOREIGN_VAULT_URL", foreign.url()),
        ("FIDELITY_THROTTLED_VAULT_URL", throttled.url()),
        ("FIDELITY_LIMITED_VAULT_URL", limited.url()),
        ("FIDELITY_GOVERNED_VAULT_URL", governed.url()),
        ("FIDELITY_SLOW_VAULT_URL", slow.url()),
    ]
}

/// Writes the service-account tokens that the script presents to files.
fn write_assertions(issuer: &ServiceAccountIssuer, folder: &Path) {
    let good = ServiceAccountToken::new("team-a", "reader");
    let audience = ServiceAccountToken { audience: "https://kubernetes.default.svc".to_owned(), ..good.clone() };
    let subject = ServiceAccountToken::new("team-a", "writer");
    let expired =
        ServiceAccountToken { issued_at: good.issued_at - 7200, expires_at: good.expires_at - 7200, ..good.clone() };
    let forger = ServiceAccountIssuer::rsa(issuer.url()).unwrap();
    for (name, text) in [
        ("good", issuer.sign(&good)),
        ("wrong-audience", issuer.sign(&audience)),
        ("wrong-subject", issuer.sign(&subject)),
        ("expired", issuer.sign(&expired)),
        ("forged", forger.sign(&good)),
    ] {
        std::fs::write(folder.join(name), text.unwrap()).unwrap();
    }
}

/// Writes a new certificate and its key to one PEM file; returns the certificate.
fn write_certificate(file: &Path) -> String {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
    std::fs::write(file, format!("{}{certificate}", key.serialize_pem())).unwrap();
    certificate
}

/// The Python interpreter of an environment with the SDK.
fn interpreter(sources: &Path) -> PathBuf {
    let made = Command::new(sources.join("python")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Path::new(String::from_utf8(made.stdout).unwrap().trim_end()).join("bin/python")
}

#[test]
fn the_official_sdk_for_python_works_unchanged() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity");
    let python = interpreter(&sources);

    let sandbox = Sandbox::start_in_background(Config::default()).unwrap();
    let issuer = ServiceAccountIssuer::rsa("https://cluster.example").unwrap();
    sandbox.set_issuer(issuer.url(), issuer.keys().unwrap());
    let application = sandbox
        .default_tenant()
        .application(CLIENT_ID)
        .federate(issuer.url(), "system:serviceaccount:team-a:reader")
        .add_client_secret("s3cret", None);
    let assertions = tempfile::tempdir().unwrap();
    write_assertions(&issuer, assertions.path());
    write_certificate(&assertions.path().join("other-certificate.pem"));
    application.add_certificate(&write_certificate(&assertions.path().join("certificate.pem"))).unwrap();
    sandbox.machine().assign_system_identity(&application);

    let output = Command::new(python)
        .args(["-m", "unittest", "discover", "--verbose", "--pattern", "*_test.py", "--start-directory"])
        .arg(&sources)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(sandbox.environment())
        .envs(vaults(&sandbox, &application))
        .env("FIDELITY_ASSERTIONS", assertions.path())
        .env("AZURE_TENANT_ID", application.tenant().id())
        .env("AZURE_CLIENT_ID", CLIENT_ID)
        .env("AZURE_FEDERATED_TOKEN_FILE", assertions.path().join("good"))
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox.proxy_url())
        .env("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "the SDK was not content with the sandbox:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
