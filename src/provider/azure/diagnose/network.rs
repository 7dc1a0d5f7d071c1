//! What DNS, TCP, TLS and a proxy do instead of carrying a request.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::text::stable;
use super::{Cause, Diagnosis};

/// The diagnosis of a request to `host` that was not answered.
pub(in crate::provider::azure) fn failure(host: &str, error: &(dyn Error + 'static)) -> Diagnosis {
    let chain = Chain::of(error);
    if let Some(tls) = chain.find::<rustls::Error>() {
        return tls_failure(host, tls);
    }
    if let Some(tunnel) = chain.text_with("tunnel error") {
        let why =
            chain.io().map_or_else(|| tunnel.trim_start_matches("tunnel error: ").to_owned(), ToString::to_string);
        return Diagnosis::new(Cause::ProxyFailed, format!("the proxy did not connect to {host}: {}", stable(&why)))
            .hint("check HTTPS_PROXY, NO_PROXY, and that the proxy lets this host through");
    }
    if chain.text_with("dns error").is_some() || chain.text_with("failed to lookup address").is_some() {
        return lookup_failure(host, &chain);
    }
    if chain.timed_out() {
        return Diagnosis::new(Cause::Timeout, format!("{host} did not answer in time"))
            .hint("check the network's route to it, firewalls and network policies");
    }
    match chain.io().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            Diagnosis::new(Cause::ConnectionRefused, format!("{host} refused the connection"))
                .hint("check what its name resolves to: private endpoint, DNS zone, proxy")
        }
        _ => Diagnosis::new(Cause::ConnectionBroken, format!("the connection to {host} broke: {}", chain.last())),
    }
}

/// A name that does not exist, or one that could not be looked up for now. The resolver of the C library tells
/// them apart in words only.
fn lookup_failure(host: &str, chain: &Chain<'_>) -> Diagnosis {
    const FOR_NOW: [&str; 4] = ["Temporary failure", "Try again", "timed out", "Non-recoverable failure"];
    let why = chain.last();
    if FOR_NOW.iter().any(|words| why.contains(words)) {
        Diagnosis::new(Cause::DnsUnavailable, format!("the name {host} could not be looked up: {why}"))
            .hint("check the cluster's DNS")
    } else {
        Diagnosis::new(Cause::HostNotFound, format!("the host {host} was not found: {why}"))
            .hint("check the vault's name in vaultUrl, the suffix of the cloud, and the private DNS zone")
    }
}

fn tls_failure(host: &str, error: &rustls::Error) -> Diagnosis {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Diagnosis::new(Cause::TlsFailed, format!("TLS with {host} failed: {}", stable(&error.to_string())));
    };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Diagnosis::new(Cause::TlsWrongName, format!("the certificate of {host} is for another name{}", names(why)))
                .hint("use the vault's normal URL (https://NAME.vault.azure.net), also with a private endpoint")
        }
        CertificateError::UnknownIssuer => {
            Diagnosis::new(Cause::TlsUnknownIssuer, format!("the certificate of {host} is from an unknown issuer"))
                .hint("if a proxy opens TLS, give its CA by the flag for a CA bundle, or by SSL_CERT_FILE")
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            Diagnosis::new(Cause::TlsExpired, format!("the certificate of {host} is not valid at this time"))
                .hint("check the certificate and the node's clock")
        }
        _ => Diagnosis::new(
            Cause::TlsFailed,
            format!("the certificate of {host} is not valid: {}", stable(&error.to_string())),
        ),
    }
}

/// The names that a certificate is for.
fn names(error: &CertificateError) -> String {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!(": {}", stable(&presented.join(", ")))
        }
        _ => String::new(),
    }
}

/// An error and what it comes from, outermost first.
struct Chain<'a>(Vec<&'a (dyn Error + 'static)>);

impl<'a> Chain<'a> {
    /// Longer than any chain that is met; a bound, should one have a loop.
    const LONGEST: usize = 32;

    fn of(error: &'a (dyn Error + 'static)) -> Self {
        let mut chain = Vec::new();
        let mut link = Some(error);
        while let Some(current) = link.filter(|_| chain.len() < Self::LONGEST) {
            chain.push(current);
            // The source of an `io::Error` is that of the error inside it: the inner one would be skipped.
            let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            link = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| current.source());
        }
        Self(chain)
    }

    fn find<T: Error + 'static>(&self) -> Option<&'a T> {
        self.0.iter().find_map(|error| error.downcast_ref::<T>())
    }

    /// The innermost I/O error.
    fn io(&self) -> Option<&'a io::Error> {
        self.0.iter().rev().find_map(|error| error.downcast_ref::<io::Error>())
    }

    /// The text of the first link that begins with `words`.
    fn text_with(&self, words: &str) -> Option<String> {
        self.0.iter().map(ToString::to_string).find(|text| text.starts_with(words))
    }

    fn timed_out(&self) -> bool {
        self.find::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
            || self.io().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// The innermost text.
    fn last(&self) -> String {
        self.0.last().map_or_else(String::new, |error| stable(&error.to_string()))
    }
}
