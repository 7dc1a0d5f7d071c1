//! Certificates, keys and tokens of a cluster, made anew for each.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;

/// Why they could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A key or certificate could not be made.
    #[error("the cluster's certificates cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The files of a cluster's credentials.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    folder: PathBuf,
    /// The public key of the service-account issuer, in PEM.
    pub(super) issuer_public_key: String,
}

impl Credentials {
    /// Makes all of them in `folder`; the API server will listen on `port` of 127.0.0.1.
    pub(super) fn create(folder: &Path, port: u16) -> Result<Self, CredentialsError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let certificate = CertificateParams::new(names)?.signed_by(&key, &Issuer::new(ca, ca_key))?;
        // Managed clusters sign tokens with RSA.
        let issuer_key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;

        let this = Self { folder: folder.to_owned(), issuer_public_key: issuer_key.public_key_pem() };
        let token = token();
        this.write("ca.crt", &ca_certificate.pem())?;
        this.write("tls.crt", &certificate.pem())?;
        this.write("tls.key", &key.serialize_pem())?;
        this.write("issuer.key", &issuer_key.serialize_pem())?;
        this.write("issuer.pub", &this.issuer_public_key)?;
        this.write("tokens.csv", &format!("{token},admin,admin,system:masters\n"))?;
        // JSON is YAML, so kubectl reads it.
        this.write("kubeconfig", &kubeconfig(&this.path("ca.crt"), port, &token).to_string())?;
        Ok(this)
    }

    /// The path of a file.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), CredentialsError> {
        let path = self.path(name);
        std::fs::write(&path, content).map_err(|source| CredentialsError::Write { path, source })
    }
}

/// An administrator's token, which nobody can guess.
fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn kubeconfig(ca: &Path, port: u16, token: &str) -> serde_json::Value {
    let server = format!("https://127.0.0.1:{port}");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin"}}],
    })
}
