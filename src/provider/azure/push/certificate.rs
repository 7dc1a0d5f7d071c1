//! A certificate with its key, in the form that a vault imports: PEM, or PFX in base64.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::super::certificate::{ClientCertificate, Unusable};
use super::super::diagnose::{Cause, Diagnosis};
use crate::push::Payload;
use crate::secret::SecretValue;

/// The beginning of every PEM block.
const PEM: &[u8] = b"-----BEGIN ";
/// The keys of a Secret of the type `kubernetes.io/tls`.
const TLS: [&str; 2] = ["tls.key", "tls.crt"];

/// What a vault imports from a payload: a PFX or a PEM unchanged, or the certificate and key of a TLS Secret.
///
/// # Errors
/// The payload holds no certificate with its key.
pub(super) fn of(payload: &Payload) -> Result<SecretValue, Diagnosis> {
    match payload {
        Payload::Value(value) if is_pem(value.expose_secret()) => pem(value.expose_secret()),
        Payload::Value(value) => pfx(value.expose_secret()),
        Payload::Map(values) => {
            let [Some(key), Some(certificate)] = TLS.map(|name| values.get(name)) else {
                let message = "a whole Secret becomes a certificate only with the keys tls.crt and tls.key";
                return Err(Diagnosis::new(Cause::ValueUnusable, message).hint(
                    "push a Secret of the type kubernetes.io/tls, or name the key that holds PEM or PFX in match.secretKey",
                ));
            };
            let (key, certificate) = (key.expose_secret(), certificate.expose_secret());
            let mut text = Zeroizing::new(Vec::with_capacity(key.len() + certificate.len() + 1));
            text.extend_from_slice(key);
            text.push(b'\n');
            text.extend_from_slice(certificate);
            pem(&text)
        }
    }
}

/// The certificate in what a vault imports, in DER.
pub(super) fn leaf(value: &SecretValue) -> Option<Vec<u8>> {
    ClientCertificate::of_any_time(value.expose_secret()).ok().map(|certificate| certificate.leaf().to_vec())
}

/// Whether it is imported as PEM.
pub(super) fn is_pem(value: &[u8]) -> bool {
    value.windows(PEM.len()).any(|window| window == PEM)
}

fn unusable(reason: Unusable) -> Diagnosis {
    let message = match reason {
        Unusable::NotACertificate => {
            "value from secret is not a valid certificate: could not parse certificate value as PKCS#12, DER or PEM"
                .to_owned()
        }
        reason => format!("value from secret is not a valid certificate: it {reason}"),
    };
    Diagnosis::new(Cause::ValueUnusable, message)
        .hint("a vault takes a certificate together with its private key, as PEM or as PFX without a password")
}

/// Capacity for the lines around a block.
const LABELS: usize = 64;

/// The key in PKCS#8, which is what a vault takes, then the certificate and its chain.
fn pem(text: &[u8]) -> Result<SecretValue, Diagnosis> {
    let certificate = ClientCertificate::of_any_time(text).map_err(unusable)?;
    let key = certificate.key().pkcs8().map_err(unusable)?;
    let der: usize = certificate.chain().iter().map(|der| der.len() + LABELS).sum();
    // With room for everything, because growing it would leave a copy of the key in freed memory.
    let mut pem = Zeroizing::new(Vec::with_capacity(2 * (der + key.len() + LABELS)));
    block(&mut pem, "PRIVATE KEY", &key);
    for der in certificate.chain() {
        block(&mut pem, "CERTIFICATE", der);
    }
    Ok(Arc::new(pem.to_vec().into()))
}

fn block(pem: &mut Vec<u8>, label: &str, der: &[u8]) {
    let text = Zeroizing::new(BASE64_STANDARD.encode(der));
    pem.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in text.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
}

fn pfx(value: &[u8]) -> Result<SecretValue, Diagnosis> {
    const SEQUENCE: u8 = 0x30;
    ClientCertificate::of_any_time(value).map_err(unusable)?;
    if value.first() == Some(&SEQUENCE) {
        return Ok(Arc::new(BASE64_STANDARD.encode(value).into_bytes().into()));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(value.len()));
    text.extend(value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    Ok(Arc::new(text.to_vec().into()))
}
