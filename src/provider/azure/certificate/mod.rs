//! The client certificate of a service principal. It is read from a Secret and signs the assertion that proves the
//! identity to Entra ID.
//!
//! Accepts what ESO accepts (PEM with one or more certificates and a key; PFX without a password) and, in addition,
//! elliptic-curve keys, certificates in any order, and a PFX in base64, which is what Key Vault returns. Nothing is
//! cached between two exchanges.

pub(super) mod key;
mod parts;
pub(super) mod pem;
mod pfx;
mod sign;
mod unusable;
// The certificates in tests are created with crates that only the sandbox needs otherwise.
#[cfg(all(test, feature = "sandbox"))]
pub(super) mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::parse_der;
use zeroize::Zeroizing;

use self::key::Key;
use self::parts::{Parts, certificate};
pub(super) use self::pem::first_certificate;
pub(super) use self::unusable::Unusable;

/// Far more than a certificate, its chain and a key need.
pub(super) const LARGEST: usize = 64 << 10;

/// A certificate and its key.
pub(super) struct ClientCertificate {
    /// The certificate and its chain up to the root, each in DER.
    chain: Vec<Vec<u8>>,
    key: Key,
}

impl ClientCertificate {
    /// Reads the content of a Secret's key.
    ///
    /// # Errors
    /// There is no certificate with its key that is valid at `now`.
    pub(super) fn read(content: &[u8], now: Timestamp) -> Result<Self, Unusable> {
        let read = Self::of_any_time(content)?;
        let end = certificate(read.leaf())?.validity().not_after.timestamp();
        if end < now.as_second() {
            return Err(Unusable::Expired(Timestamp::from_second(end).unwrap_or(Timestamp::MIN)));
        }
        Ok(read)
    }

    /// The same, also of one that is not valid now.
    ///
    /// # Errors
    /// There is no certificate with its key.
    pub(super) fn of_any_time(content: &[u8]) -> Result<Self, Unusable> {
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
        let chain = order(&parsed, own).into_iter().map(|at| certificates[at].clone()).collect();
        Ok(Self { chain, key })
    }

    /// The certificate, in DER.
    pub(super) fn leaf(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }

    /// The certificate and those that lead to its root, each in DER.
    pub(super) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Its key.
    pub(super) const fn key(&self) -> &Key {
        &self.key
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
