//! A certificate with its private key, in the two formats in which it is imported and read: PFX (PKCS#12, RFC 7292) in
//! base64, and PEM.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12ImportPolicy, PrivateKey,
    PrivateKeyChain,
};
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::errors::KeyVaultError;

/// The format of a certificate's secret: its content type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateFormat {
    /// PFX without a password, in base64.
    #[default]
    #[serde(rename = "application/x-pkcs12")]
    Pfx,
    /// The private key (PKCS#8), the certificate and its chain.
    #[serde(rename = "application/x-pem-file")]
    Pem,
}

impl CertificateFormat {
    /// The content type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Pfx => "application/x-pkcs12",
            Self::Pem => "application/x-pem-file",
        }
    }
}

/// The beginning of a PEM text.
const PEM_START: &str = "-----BEGIN ";

/// Key Vault writes PFX in the old format that every reader supports: 3DES, SHA-1, 2,000 rounds of key derivation.
const PFX_ROUNDS: u32 = 2000;

/// A certificate, its chain and its private key.
pub(crate) struct Material {
    /// In DER; the first is the certificate itself.
    chain: Vec<Vec<u8>>,
    /// PKCS#8 in DER.
    key: Zeroizing<Vec<u8>>,
}

impl Material {
    /// An issued certificate, without a chain.
    pub(crate) fn issued(certificate: &CertificateDer<'_>, pair: &KeyPair) -> Self {
        Self { chain: vec![certificate.to_vec()], key: Zeroizing::new(pair.serialize_der()) }
    }

    /// From the value of an import: PFX in base64 with its password, or PEM, which some clients also send in base64.
    pub(crate) fn parse(value: &str, password: &str) -> Result<(Self, CertificateFormat), KeyVaultError> {
        let decoded = decode(value);
        let text = if value.contains(PEM_START) { Some(value) } else { std::str::from_utf8(&decoded).ok() };
        let (material, format) = match text.filter(|text| text.contains(PEM_START)) {
            Some(pem) => (Self::from_pem(pem), CertificateFormat::Pem),
            None => (Self::from_pfx(&decoded, password), CertificateFormat::Pfx),
        };
        material.filter(Self::fits).map(|material| (material, format)).ok_or_else(|| {
            KeyVaultError::bad_parameter(match format {
                CertificateFormat::Pem => {
                    "The specified PEM X.509 certificate content can not be read. Please check if certificate is in \
                     valid PEM format, and has its private key in PKCS#8."
                }
                CertificateFormat::Pfx => {
                    "The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in \
                     valid PKCS#12 format."
                }
            })
        })
    }

    fn from_pem(text: &str) -> Option<Self> {
        let chain = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|certificate| certificate.map(|der| der.to_vec()))
            .collect::<Result<Vec<_>, _>>()
            .ok()?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        Some(Self { chain, key: Zeroizing::new(key.secret_pkcs8_der().to_vec()) })
    }

    fn from_pfx(bytes: &[u8], password: &str) -> Option<Self> {
        let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed).ok()?;
        let (_, found) = store.private_key_chain()?;
        Some(Self {
            chain: found.certs().iter().map(|certificate| certificate.as_der().to_vec()).collect(),
            key: Zeroizing::new(found.key().as_der().to_vec()),
        })
    }

    /// Whether there is a certificate, and the private key belongs to it.
    fn fits(&self) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(self.certificate()) else { return false };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()));
        KeyPair::try_from(&key)
            .is_ok_and(|pair| pair.public_key_raw() == certificate.public_key().subject_public_key.data.as_ref())
    }

    /// The certificate in DER.
    pub(crate) fn certificate(&self) -> &[u8] {
        self.chain.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The value of the certificate's secret.
    pub(crate) fn secret(&self, format: CertificateFormat) -> Result<SecretString, KeyVaultError> {
        match format {
            CertificateFormat::Pem => Ok(self.pem().into()),
            CertificateFormat::Pfx => self.pfx().map(SecretString::from).map_err(|_| {
                KeyVaultError::bad_parameter(
                    "The certificate cannot be written as PKCS#12: use application/x-pem-file.",
                )
            }),
        }
    }

    fn pem(&self) -> String {
        let certificates = self.chain.iter().map(|der| pem_block("CERTIFICATE", der));
        [pem_block("PRIVATE KEY", &self.key)].into_iter().chain(certificates).collect()
    }

    fn pfx(&self) -> Result<String, p12_keystore::error::Error> {
        let certificates = self.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        let chain = PrivateKeyChain::new(vec![1, 0, 0, 0], PrivateKey::from_der(&self.key)?, certificates);
        let mut store = KeyStore::new();
        store.add_entry("certificate", KeyStoreEntry::PrivateKeyChain(chain));
        let writer = store
            .writer("")
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .encryption_iterations(PFX_ROUNDS)
            .mac_algorithm(MacAlgorithm::HmacSha1)
            .mac_iterations(PFX_ROUNDS);
        Ok(BASE64_STANDARD.encode(writer.write()?))
    }
}

/// The bytes of a text in base64; empty if it is not base64.
fn decode(base64: &str) -> Zeroizing<Vec<u8>> {
    let compact: Zeroizing<String> = Zeroizing::new(base64.split_whitespace().collect());
    Zeroizing::new(BASE64_STANDARD.decode(compact.as_bytes()).unwrap_or_default())
}

fn pem_block(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
