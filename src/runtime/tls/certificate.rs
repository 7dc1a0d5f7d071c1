//! Certificates in files that change while the program runs, as those of a mounted Secret do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use x509_cert::der::Decode;
use x509_cert::time::Validity;
use zeroize::Zeroizing;

use super::error::TlsError;

/// How often the files are read. They are small, and the new content of a Secret takes up to minutes to appear anyway.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// It contains no certificate or key.
    #[error("{what} is not in PEM, or empty")]
    Pem {
        /// What was looked for.
        what: &'static str,
    },
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(rustls::Error),
    /// The name is invalid.
    #[error("{0:?} is not a DNS name")]
    Name(String),
    /// The authority did not sign it, it is for other names, or it is not valid at that time.
    #[error("the certificate is not valid for {name} at {at}: {reason}")]
    Invalid {
        /// The name.
        name: String,
        /// The time.
        at: Timestamp,
        reason: String,
    },
}

/// The files of a certificate.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificate and its chain up to the authority, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
    /// The authority's certificates in PEM, if known.
    pub authority: Option<PathBuf>,
}

/// A certificate and its key, as they were read.
pub struct Certificate {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    authority: Option<Vec<u8>>,
    certified: Arc<CertifiedKey>,
}

impl CertificateFiles {
    /// `tls.crt`, `tls.key` and `ca.crt` in a folder, as in a Secret of type `kubernetes.io/tls`.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self::named(folder, "tls.crt", "tls.key", Some("ca.crt"))
    }

    /// Files with other names in a folder.
    #[must_use]
    pub fn named(folder: &Path, certificate: &str, key: &str, authority: Option<&str>) -> Self {
        Self {
            certificate: folder.join(certificate),
            key: folder.join(key),
            authority: authority.map(|authority| folder.join(authority)),
        }
    }

    /// Whether the certificate and key exist.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.certificate.exists() && self.key.exists()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`], if the certificate and key cannot be used. A missing authority is not an error.
    pub fn read(&self) -> Result<Certificate, CertificateError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| CertificateError::Read { path: path.clone(), source })
        };
        let authority = match self.authority.as_ref().map(read) {
            Some(Err(CertificateError::Read { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => None,
            other => other.transpose()?,
        };
        Certificate::from_pem(read(&self.certificate)?, read(&self.key)?, authority)
    }
}

impl Certificate {
    /// From PEM.
    ///
    /// # Errors
    /// [`CertificateError`], if the certificate and key cannot be used together.
    pub fn from_pem(certificate: Vec<u8>, key: Vec<u8>, authority: Option<Vec<u8>>) -> Result<Self, CertificateError> {
        let key = Zeroizing::new(key);
        let certificates = chain(&certificate, "the certificate")?;
        let private = PrivateKeyDer::from_pem_slice(&key).map_err(|_| CertificateError::Pem { what: "the key" })?;
        let certified = CertifiedKey::from_der(certificates, private, &aws_lc_rs::default_provider())
            .map_err(CertificateError::Pair)?;
        Ok(Self { chain: certificate, key, authority, certified: Arc::new(certified) })
    }

    /// Whether clients that trust its authority accept it for `name` at this time. Without an authority it counts as
    /// valid.
    ///
    /// # Errors
    /// [`CertificateError::Invalid`]
    pub fn check(&self, name: &str, at: Timestamp) -> Result<(), CertificateError> {
        match &self.authority {
            Some(authority) => verify(authority, &self.chain, name, at),
            None => Ok(()),
        }
    }

    /// Its total validity; `None` if that cannot be read.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        let validity = self.validity()?;
        validity.not_after.to_unix_duration().checked_sub(validity.not_before.to_unix_duration())
    }

    /// When it expires, in seconds since 1970; `None` if that cannot be read.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        i64::try_from(self.validity()?.not_after.to_unix_duration().as_secs()).ok()
    }

    fn validity(&self) -> Option<Validity> {
        let leaf = x509_cert::Certificate::from_der(self.certified.cert.first()?).ok()?;
        Some(*leaf.tbs_certificate().validity())
    }
}

fn chain(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| CertificateError::Pem { what })?;
    if chain.is_empty() { Err(CertificateError::Pem { what }) } else { Ok(chain) }
}

/// Checks whether a server's certificate (a chain in PEM) is valid for `name` at this time, for clients that trust
/// `authority` (PEM).
///
/// # Errors
/// [`CertificateError`]
pub fn verify(authority: &[u8], certificate: &[u8], name: &str, at: Timestamp) -> Result<(), CertificateError> {
    let invalid = |reason: String| CertificateError::Invalid { name: name.to_owned(), at, reason };
    let mut roots = RootCertStore::empty();
    for root in chain(authority, "the authority's certificate")? {
        roots.add(root).map_err(|error| invalid(error.to_string()))?;
    }
    let chain = chain(certificate, "the certificate")?;
    let (leaf, rest) = chain.split_first().ok_or(CertificateError::Pem { what: "the certificate" })?;
    let server = ServerName::try_from(name).map_err(|_| CertificateError::Name(name.to_owned()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let at_time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier.verify_server_cert(leaf, rest, &server, &[], at_time).map(drop).map_err(|error| invalid(error.to_string()))
}

/// Provides TLS with the newest certificate; with none before the first is read.
#[derive(Debug, Default)]
pub struct Resolver(RwLock<Option<Arc<CertifiedKey>>>);

impl Resolver {
    /// Provides a certificate that does not change.
    #[must_use]
    pub fn fixed(certificate: &Certificate) -> Self {
        Self(RwLock::new(Some(Arc::clone(&certificate.certified))))
    }

    /// Reads the files now and whenever they change, until `stop`. A certificate that cannot be used is logged, and the
    /// last good one is kept.
    pub async fn follow(self: Arc<Self>, files: CertificateFiles, stop: CancellationToken) {
        let mut last: Option<Certificate> = None;
        let mut complaint = None;
        loop {
            match files.read() {
                Ok(new) => {
                    let is_same = last.as_ref().is_some_and(|last| last.chain == new.chain && last.key == new.key);
                    if !is_same {
                        tracing::info!(file = %files.certificate.display(), "serving with a new certificate");
                        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&new.certified));
                        last = Some(new);
                    }
                    complaint = None;
                }
                Err(error) => {
                    let text = error.to_string();
                    if complaint.as_ref() != Some(&text) {
                        tracing::warn!(error = text, "the certificate cannot be used; looking again every second");
                        complaint = Some(text);
                    }
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(READ_EVERY)).await.is_none() {
                return;
            }
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A self-signed certificate, for an endpoint that must be encrypted and was given none.
///
/// # Errors
/// [`TlsError`]
pub fn self_signed(name: &str) -> Result<Resolver, TlsError> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let certified = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &aws_lc_rs::default_provider())?;
    Ok(Resolver(RwLock::new(Some(Arc::new(certified)))))
}
