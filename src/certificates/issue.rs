//! Our own certificate authority, and the serving certificates that it issues.
//!
//! Names, kinds and encodings are those of ESO's cert-controller (RSA 2048, keys as PKCS#1, the authority's subject),
//! so that either can take over what the other created.

use std::time::SystemTime;

use jiff::Timestamp;
use rcgen::string::PrintableString;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize,
};
use x509_cert::Certificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{Decode, Encode, EncodePem, Reader, SliceReader};
use zeroize::Zeroizing;

/// The authority's subject and DNS name, as in ESO.
const AUTHORITY: &str = "external-secrets";
/// How far certificates are backdated, because clocks differ.
const BACKDATED: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
const CERTIFICATE_SIGN: KeyUsagePurpose = KeyUsagePurpose::KeyCertSign;

/// Why a certificate cannot be created or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("a certificate cannot be created: {0}")]
    Make(#[from] rcgen::Error),
    /// It cannot be parsed or encoded.
    #[error("a certificate or key is malformed: {0}")]
    Malformed(#[from] x509_cert::der::Error),
    /// It cannot be encoded as PEM.
    #[error("a key cannot be written in PEM: {0}")]
    Pem(#[from] x509_cert::der::pem::Error),
    /// The time is out of range for certificates.
    #[error("the time {0} cannot be written into a certificate")]
    Time(Timestamp),
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// A new authority, valid until `end`.
pub(super) fn authority(now: Timestamp, end: Timestamp) -> Result<Issued, IssueError> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = authority_params()?;
    set_times(&mut params, now, end)?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued { certificate: certificate.pem().into_bytes(), key: key_pem(&key)? })
}

/// A serving certificate for `name`, signed with an authority's key and valid until `end`.
pub(super) fn serving(authority_key: &[u8], name: &str, now: Timestamp, end: Timestamp) -> Result<Issued, IssueError> {
    let issuer = Issuer::new(authority_params()?, signing_key(authority_key)?);
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    set_times(&mut params, now, end)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Issued { certificate: certificate.pem().into_bytes(), key: key_pem(&key)? })
}

fn authority_params() -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::new(vec![AUTHORITY.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // The order and the string type that Go uses, because a signed certificate repeats the subject byte by byte.
    for part in [DnType::OrganizationName, DnType::CommonName] {
        params.distinguished_name.push(part, DnValue::PrintableString(PrintableString::try_from(AUTHORITY)?));
    }
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, CERTIFICATE_SIGN];
    Ok(params)
}

fn set_times(params: &mut CertificateParams, now: Timestamp, end: Timestamp) -> Result<(), IssueError> {
    let begin = now.checked_sub(BACKDATED).map_err(|_| IssueError::Time(now))?;
    params.not_before = SystemTime::from(begin).into();
    params.not_after = SystemTime::from(end).into();
    Ok(())
}

/// Parses a key in PEM, in any of the usual encodings.
fn signing_key(pem: &[u8]) -> Result<KeyPair, IssueError> {
    Ok(KeyPair::from_pem(&Zeroizing::new(String::from_utf8_lossy(pem).into_owned()))?)
}

/// The key as PKCS#1, the only encoding that ESO reads.
fn key_pem(key: &KeyPair) -> Result<Zeroizing<Vec<u8>>, IssueError> {
    let der = Zeroizing::new(key.serialize_der());
    // PrivateKeyInfo ::= SEQUENCE { version, algorithm, privateKey OCTET STRING }, RFC 5208.
    let mut reader = SliceReader::new(&der)?;
    let pkcs1 = reader.sequence(|fields| -> x509_cert::der::Result<Zeroizing<Vec<u8>>> {
        let _version = AnyRef::decode(fields)?;
        let _algorithm = AnyRef::decode(fields)?;
        Ok(Zeroizing::new(AnyRef::decode(fields)?.value().to_vec()))
    })?;
    Ok(Zeroizing::new(encode_string("RSA PRIVATE KEY", LineEnding::LF, &pkcs1)?.into_bytes()))
}

/// An authority's certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known(Certificate);

impl Known {
    /// All certificates of a bundle (PEM) that can be parsed; others are skipped.
    pub(super) fn all_in(bundle: &[u8]) -> Vec<Self> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        CertificateDer::pem_slice_iter(bundle)
            .filter_map(|der| Certificate::from_der(&der.ok()?).ok())
            .map(Self)
            .collect()
    }

    /// When it expires.
    pub(super) fn end(&self) -> Timestamp {
        let end = self.0.tbs_certificate().validity().not_after.to_unix_duration();
        i64::try_from(end.as_secs())
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether it certifies a key (PEM).
    pub(super) fn certifies(&self, key: &[u8]) -> bool {
        let certified = self.0.tbs_certificate().subject_public_key_info().to_der();
        match (signing_key(key), certified) {
            (Ok(key), Ok(certified)) => key.subject_public_key_info() == certified,
            _ => false,
        }
    }

    /// In PEM.
    pub(super) fn to_pem(&self) -> Result<Vec<u8>, IssueError> {
        Ok(self.0.to_pem(LineEnding::LF)?.into_bytes())
    }
}
