//! PEM (RFC 7468), read leniently: allows text between blocks, and lines of any length. Wipes decoded keys, which
//! general-purpose readers do not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key::Key;
use super::parts::Parts;
use super::unusable::Unusable;

/// All certificates and keys of a text.
pub(super) fn read(text: &str) -> Result<Parts, Unusable> {
    let mut parts = Parts::default();
    let mut rest = text;
    while let Some((label, body, after)) = next(rest) {
        rest = after;
        match label {
            "CERTIFICATE" => parts.certificates.push(decoded(body)?.to_vec()),
            "ENCRYPTED PRIVATE KEY" => return Err(Unusable::Encrypted),
            // The older encryption (RFC 1421, section 4.6) is announced in a header.
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" if body.contains("ENCRYPTED") => return Err(Unusable::Encrypted),
            "PRIVATE KEY" => parts.keys.push(Key::from_pkcs8(&decoded(body)?)?),
            "RSA PRIVATE KEY" => parts.keys.push(Key::from_pkcs1(&decoded(body)?)?),
            "EC PRIVATE KEY" => parts.keys.push(Key::from_sec1(&decoded(body)?)?),
            // Curve parameters and the like.
            _ => {}
        }
    }
    Ok(parts)
}

/// The first certificate of a text, in DER.
pub(in crate::provider::azure) fn first_certificate(text: &str) -> Option<Vec<u8>> {
    let mut rest = text;
    while let Some((label, body, after)) = next(rest) {
        if label == "CERTIFICATE" {
            return decoded(body).ok().map(|der| der.to_vec());
        }
        rest = after;
    }
    None
}

/// The next block: its label, what is in it, and the text after it.
pub(in crate::provider::azure) fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (_, begun) = text.split_once("-----BEGIN ")?;
    let (label, rest) = begun.split_once("-----")?;
    let end = format!("-----END {label}-----");
    let (body, after) = rest.split_once(&end)?;
    Some((label, body, after))
}

pub(in crate::provider::azure) fn decoded(body: &str) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let text: Zeroizing<Vec<u8>> = Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    STANDARD.decode(text.as_slice()).map(Zeroizing::new).map_err(|_| Unusable::NotACertificate)
}
