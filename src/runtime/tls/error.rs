//! Why TLS cannot be set up.

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A name is not that of a cipher.
    #[error(
        "--tls-ciphers: {0:?} is not a cipher; take names from https://pkg.go.dev/crypto/tls#pkg-constants, separated by commas"
    )]
    UnknownCipher(String),
    /// A version that does not exist.
    #[error("--tls-min-version={0:?} is not a version of TLS; write 1.2 or 1.3")]
    UnknownVersion(String),
    /// TLS rejects the settings.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// A certificate cannot be generated.
    #[error("a certificate cannot be created: {0}")]
    Issue(#[from] rcgen::Error),
}
