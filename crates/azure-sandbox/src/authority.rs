//! The sandbox's certificate authority, which issues a server certificate for each emulated host.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::SandboxError;

/// Issues and caches the server certificates of emulated hosts.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    /// One key serves all hosts: only their names differ.
    leaf_key: KeyPair,
    configurations: RwLock<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    /// A new authority with its own key.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "external-secrets sandbox CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(SandboxError::Certificate)?;
        let certificate = params.self_signed(&key).map_err(SandboxError::Certificate)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            leaf_key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(SandboxError::Certificate)?,
            configurations: RwLock::default(),
        })
    }

    /// The authority's own certificate, which clients must trust.
    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The TLS configuration for a host: a certificate for exactly that name, and HTTP/2 and HTTP/1.1 by ALPN.
    pub(crate) fn server_config(&self, host: &str) -> Result<Arc<ServerConfig>, SandboxError> {
        if let Some(known) = self.configurations.read().get(host) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.issue(host)?);
        self.configurations.write().insert(host.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    fn issue(&self, host: &str) -> Result<ServerConfig, SandboxError> {
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(SandboxError::Certificate)?;
        // A common name has at most 64 characters, so the host is only in the alternative names.
        params.distinguished_name.push(DnType::CommonName, "external-secrets sandbox");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&self.leaf_key, &self.issuer).map_err(SandboxError::Certificate)?;

        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(SandboxError::Tls)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}
