//! Why a certificate cannot be used.

use jiff::Timestamp;

use crate::template::funcs::pfx::MOST_ITERATIONS;

/// Why the content of a Secret cannot be used as a client certificate. The text begins with a verb, because the caller
/// adds the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::provider::azure) enum Unusable {
    /// Neither PEM nor PFX, or damaged.
    #[error("holds neither a PEM nor a PFX certificate")]
    NotACertificate,
    /// Only a key.
    #[error("holds no certificate")]
    NoCertificate,
    /// Only certificates.
    #[error("holds no private key")]
    NoPrivateKey,
    /// The key is encrypted with a password.
    #[error("holds an encrypted private key, for which a store cannot give a password")]
    Encrypted,
    /// It costs too much to open.
    #[error(
        "holds a PFX that asks for more than {MOST_ITERATIONS} iterations of hashing in total, or has more than 4 keys"
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
    pub(in crate::provider::azure) const fn hint(self) -> &'static str {
        match self {
            Self::NotACertificate | Self::NoCertificate | Self::NoPrivateKey => {
                "put the certificate and its private key there, in PEM or as PFX without a password"
            }
            Self::TooCostly => "create it again with fewer: openssl pkcs12 -export -iter 2048",
            Self::Encrypted => "store the key without a password: openssl pkcs12 -in client.pfx -nodes",
            Self::KeyUnsupported | Self::NotSigned => "create a certificate with an RSA key of 2048 bits or more",
            Self::KeyOfAnother => "put the certificate there that was issued for this key",
            Self::Expired(_) => "register a new certificate with the application and put it there with its key",
        }
    }
}
