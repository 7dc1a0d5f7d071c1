//! PFX, also called PKCS#12 (RFC 7292), without a password.

use super::key::Key;
use super::parts::{Parts, certificate};
use super::unusable::Unusable;
use crate::template::funcs::pfx::{self, Unreadable};

/// All certificates and keys of a PFX.
pub(super) fn read(der: &[u8]) -> Result<Parts, Unusable> {
    let pfx::Contents { certificates, keys } = pfx::read(der, "").map_err(|unreadable| match unreadable {
        Unreadable::WrongPassword => Unusable::Encrypted,
        Unreadable::TooCostly => Unusable::TooCostly,
        Unreadable::Malformed if certificate(der).is_ok() => Unusable::NoPrivateKey,
        Unreadable::Malformed => Unusable::NotACertificate,
    })?;
    let keys = keys.iter().map(|key| Key::from_pkcs8(key)).collect::<Result<_, _>>()?;
    Ok(Parts { certificates, keys })
}
