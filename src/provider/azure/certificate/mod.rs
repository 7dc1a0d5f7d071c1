//! The client certificate of a service principal: read from a Secret, and used to sign the assertion that proves
//! the identity to Entra ID.
//!
//! Accepted is what ESO accepts (PEM with one or more certificates and a key; PFX without a password) and besides
//! keys of elliptic curves, certificates in any order, and a PFX in base64, as Key Vault gives it. Nothing is cached
//! between two exchanges.

mod key;
mod pem;
mod pfx;
mod sign;
// The certificates of the tests are made with crates that only the sandbox needs otherwise.
#[cfg(all(test, feature = "sandbox"))]
pub(super) mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::parse_der;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use self::key::Key;
pub(super) use self::pem::first_certificate;
use crate::template::funcs::pfx::MOST_ITERATIONS;

/// Far more than a certificate, its chain and a key need.
pub(super) const LARGEST: usize = 64 << 10;

/// A certificate and the key that belongs to it.
pub(super) struct ClientCertificate {
    /// The certificate and those that lead to its root, each in DER.
    chain: Vec<Vec<u8>>,
    key: Key,
}

/// Why what a Secret holds is not a client certificate that can be used. Begins with a verb: the caller adds the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// Neither of the two formats, or a broken one.
    #[error("holds neither a PEM nor a PFX certificate")]
    NotACertificate,
    /// A key alone.
    #[error("holds no certificate")]
    NoCertificate,
    /// Certificates alone.
    #[error("holds no private key")]
    NoPrivateKey,
    /// A key that is encrypted with a password.
    #[error("holds an encrypted private key, for which a store cannot give a password")]
    Encrypted,
    /// Opening it costs too much.
    #[error(
        "holds a PFX that asks for more than {MOST_ITERATIONS} iterations of hashing in sum, or has more than 4 keys"
    )]
    TooCostly,
    /// A key that cannot sign for Entra ID.
    #[error("holds a private key that is neither RSA of at least 2048 bits nor of the curves P-256, P-384 or P-521")]
    KeyUnsupported,
    /// The certificates belong to other keys.
    #[error("holds no certificate that belongs to its private key")]
    KeyOfAnother,
    /// The certificate has expired.
    #[error("holds a certificate that expired at {0}")]
    Expired(Timestamp),
    /// The key failed to sign.
    #[error("holds a private key that could not sign")]
    NotSigned,
}

impl Unusable {
    /// What to change.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::NotACertificate | Self::NoCertificate | Self::NoPrivateKey => {
                "put the certificate and its private key there, in PEM or as PFX without a password"
            }
            Self::TooCostly => "create it again with fewer: openssl pkcs12 -export -iter 2048",
            Self::Encrypted => "store the key without a password: openssl pkcs12 -in client.pfx -nodes",
            Self::KeyUnsupported | Self::NotSigned => "create a certificate with an RSA key of 2048 bits or more",
            Self::KeyOfAnother => "put the certificate there that was issued for this key",
            Self::Expired(_) => "register a new certificate at the application and put it with its key there",
        }
    }
}

/// What a file holds, before it is known what belongs together.
#[derive(Default)]
struct Parts {
    certificates: Vec<Vec<u8>>,
    keys: Vec<Key>,
}

impl ClientCertificate {
    /// Reads the content of a Secret's key.
    ///
    /// # Errors
    /// There is no certificate with its key that is valid at `now`.
    pub(super) fn read(content: &[u8], now: Timestamp) -> Result<Self, Unusable> {
        if content.len() > LARGEST {
            return Err(Unusable::NotACertificate);
        }
        let Parts { certificates, keys } = parts(content)?;
        let key = keys.into_iter().next().ok_or(Unusable::NoPrivateKey)?;
        if certificates.is_empty() {
            return Err(Unusable::NoCertificate);
        }
        let parsed = certificates.iter().map(|der| certificate(der)).collect::<Result<Vec<_>, _>>()?;
        let own = parsed
            .iter()
            .position(|certificate| certificate.public_key().subject_public_key.data.as_ref() == key.public())
            .ok_or(Unusable::KeyOfAnother)?;
        let end = parsed[own].validity().not_after.timestamp();
        if end < now.as_second() {
            return Err(Unusable::Expired(Timestamp::from_second(end).unwrap_or(Timestamp::MIN)));
        }
        let chain = order(&parsed, own).into_iter().map(|at| certificates[at].clone()).collect();
        Ok(Self { chain, key })
    }
}

fn parts(content: &[u8]) -> Result<Parts, Unusable> {
    const SEQUENCE: u8 = 0x30;
    if let Some(text) = std::str::from_utf8(content).ok().filter(|text| text.contains("-----BEGIN ")) {
        return pem::read(text);
    }
    if content.first() == Some(&SEQUENCE) {
        return pfx::read(without_line_end(content));
    }
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    match STANDARD.decode(text.as_slice()).map(Zeroizing::new) {
        Ok(decoded) if decoded.first() == Some(&SEQUENCE) => pfx::read(&decoded),
        _ => Err(Unusable::NotACertificate),
    }
}

/// DER without a trailing line break, which tools that print files add.
fn without_line_end(content: &[u8]) -> &[u8] {
    match parse_der(content) {
        Ok((rest, _)) if rest.iter().all(u8::is_ascii_whitespace) => &content[..content.len() - rest.len()],
        _ => content,
    }
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Unusable> {
    parse_x509_certificate(der).map(|(_, certificate)| certificate).map_err(|_| Unusable::NotACertificate)
}

/// The indices of the certificates from `own` to the last known issuer.
fn order(certificates: &[X509Certificate<'_>], own: usize) -> Vec<usize> {
    let mut order = vec![own];
    let mut last = own;
    loop {
        let issuer = certificates[last].issuer().as_raw();
        let next =
            (0..certificates.len()).find(|at| !order.contains(at) && certificates[*at].subject().as_raw() == issuer);
        match next {
            Some(next) => {
                order.push(next);
                last = next;
            }
            None => return order,
        }
    }
}
