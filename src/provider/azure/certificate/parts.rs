//! The contents of a certificate file.

use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;

use super::key::Key;
use super::unusable::Unusable;

/// The contents of a file, before certificates and keys are matched.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<Key>,
}

/// Parses a certificate in DER.
pub(super) fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Unusable> {
    parse_x509_certificate(der).map(|(_, certificate)| certificate).map_err(|_| Unusable::NotACertificate)
}
