//! TLS for the program's endpoints: versions, ciphers, and certificates that change while it runs.

mod certificate;
mod error;
mod serve;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ResolvesServerCert;
use rustls::{CipherSuite, ProtocolVersion, SupportedProtocolVersion, version};

pub use certificate::{Certificate, CertificateError, CertificateFiles, Resolver, self_signed, verify};
pub use error::TlsError;
pub use serve::{Limits, serve};

/// Names in Go's list for TLS 1.2 ciphers without authenticated encryption. They are accepted but not served.
const NOT_SERVED: [&str; 4] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];

/// Whether HTTP/2 is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Only HTTP/1.1.
    #[default]
    Off,
    /// HTTP/1.1 and HTTP/2.
    On,
}

impl Http2 {
    /// From the flag `--enable-http2`.
    #[must_use]
    pub const fn enabled(enabled: bool) -> Self {
        if enabled { Self::On } else { Self::Off }
    }
}

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The TLS 1.2 ciphers to offer; all if `None`. As in Go, those of TLS 1.3 cannot be chosen.
    ciphers: Option<Vec<CipherSuite>>,
    /// Whether to offer only TLS 1.3.
    newest_only: bool,
    /// Whether to offer HTTP/2.
    pub http2: Http2,
}

impl TlsOptions {
    /// From the flags `--tls-ciphers` (Go's names) and `--tls-min-version`. TLS before 1.2 is never served.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn new(ciphers: &str, min_version: &str, http2: Http2) -> Result<Self, TlsError> {
        let newest_only = match min_version {
            "" | "1.2" => false,
            "1.0" | "1.1" => {
                tracing::warn!(asked = min_version, "TLS before 1.2 is not served; 1.2 is the minimum");
                false
            }
            "1.3" => true,
            other => return Err(TlsError::UnknownVersion(other.to_owned())),
        };
        let names: Vec<_> = ciphers.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let suites = names.iter().map(|name| cipher(name)).collect::<Result<Vec<_>, _>>()?;
        let ciphers = (!names.is_empty()).then(|| suites.into_iter().flatten().collect());
        Ok(Self { ciphers, newest_only, http2 })
    }

    /// A configuration with the certificate of `resolver`.
    ///
    /// # Errors
    /// [`TlsError::Rustls`]
    pub fn server_config(&self, resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, TlsError> {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(ciphers) = &self.ciphers {
            let is_newest = |suite: &rustls::SupportedCipherSuite| suite.version().version == ProtocolVersion::TLSv1_3;
            provider.cipher_suites.retain(|suite| is_newest(suite) || ciphers.contains(&suite.suite()));
        }
        let mut versions: Vec<&'static SupportedProtocolVersion> = vec![&version::TLS13];
        if !self.newest_only && has_older(&provider) {
            versions.push(&version::TLS12);
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&versions)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = match self.http2 {
            Http2::Off => vec![b"http/1.1".to_vec()],
            Http2::On => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Ok(config)
    }
}

fn has_older(provider: &CryptoProvider) -> bool {
    provider.cipher_suites.iter().any(|suite| suite.version().version == ProtocolVersion::TLSv1_2)
}

/// The cipher with Go's name; `None` for a known one that cannot be chosen or is not served.
fn cipher(name: &str) -> Result<Option<CipherSuite>, TlsError> {
    // IANA's names for TLS 1.3 lack rustls's 13, and Go's omit the hash in two cases.
    let with_hash = match name {
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" => format!("{name}_SHA256"),
        _ => name.to_owned(),
    };
    if NOT_SERVED.contains(&name) {
        tracing::warn!(cipher = name, "this cipher is not served; those with GCM or ChaCha20 are");
        return Ok(None);
    }
    let known = aws_lc_rs::ALL_CIPHER_SUITES.iter().find(|suite| {
        let ours = format!("{:?}", suite.suite());
        ours == with_hash || ours.replacen("TLS13_", "TLS_", 1) == with_hash
    });
    match known {
        Some(suite) => Ok(Some(suite.suite())),
        None => Err(TlsError::UnknownCipher(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(ciphers: &str, min_version: &str) -> Vec<String> {
        let options = TlsOptions::new(ciphers, min_version, Http2::Off).unwrap();
        let config = options.server_config(Arc::new(Resolver::default())).unwrap();
        config.crypto_provider().cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect()
    }

    #[test]
    fn ciphers_are_chosen_by_the_names_of_go() {
        let offered = offered("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "1.2");
        let older: Vec<_> = offered.iter().filter(|name| !name.starts_with("TLS13_")).collect();
        assert_eq!(older.len(), 2, "{older:?}");
        assert!(older.iter().all(|name| name.contains("RSA_WITH_AES_256_GCM") || name.contains("ECDSA_WITH_CHACHA20")));
        assert!(offered.len() > 2, "those of TLS 1.3 are not chosen");
    }

    #[test]
    fn http_2_is_offered_only_on_request() {
        let offered = |http2| {
            let options = TlsOptions::new("", "", http2).unwrap();
            options.server_config(Arc::new(Resolver::default())).unwrap().alpn_protocols
        };
        assert_eq!(offered(Http2::enabled(false)), [b"http/1.1".to_vec()]);
        assert_eq!(offered(Http2::enabled(true)), [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn unknown_names_are_refused_and_old_ones_are_not_served() {
        assert!(
            matches!(TlsOptions::new("TLS_RSA", "", Http2::Off), Err(TlsError::UnknownCipher(name)) if name == "TLS_RSA")
        );
        assert!(matches!(TlsOptions::new("", "1.4", Http2::Off), Err(TlsError::UnknownVersion(_))));
        let cbc = offered("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "1.2");
        assert!(cbc.iter().all(|name| name.starts_with("TLS13_")), "{cbc:?}");
        assert!(TlsOptions::new("", "1.0", Http2::Off).is_ok());
        assert!(TlsOptions::new("TLS_AES_128_GCM_SHA256", "1.3", Http2::Off).is_ok());
    }
}
