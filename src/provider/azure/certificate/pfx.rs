//! PFX, also called PKCS#12 (RFC 7292), without a password.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;

use super::key::Key;
use super::{Parts, Unusable, certificate};

/// The object identifier of scrypt (RFC 7914, section 7.1) in DER. It may ask for a gigabyte of memory, which whoever
/// writes a Secret must not decide; no common tool uses it.
const SCRYPT: [u8; 11] = [0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];

/// All certificates and keys of a PFX.
pub(super) fn read(der: &[u8]) -> Result<Parts, Unusable> {
    if der.windows(SCRYPT.len()).any(|window| window == SCRYPT) {
        return Err(Unusable::Encrypted);
    }
    let archive = Pkcs12Archive::from_pkcs12(der, "").map_err(|error| refused(der, &error))?;
    let keys = archive.keys.iter().map(|bag| Key::from_pkcs8(bag.key.as_der())).collect::<Result<_, _>>()?;
    Ok(Parts { certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(), keys })
}

fn refused(der: &[u8], error: &Error) -> Unusable {
    match error {
        // The check value, or what came out of the decryption, is that of another password.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Unusable::Encrypted,
        _ if certificate(der).is_ok() => Unusable::NoPrivateKey,
        _ => Unusable::NotACertificate,
    }
}
