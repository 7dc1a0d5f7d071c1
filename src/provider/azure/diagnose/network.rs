//! Failures of DNS, TCP, TLS and proxies.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::text::stable;
use super::{Cause, Diagnosis};

/// Diagnoses a request to `host` that got no answer.
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

/// A name that does not exist, or one that could not be looked up for now. The C library's resolver distinguishes them
/// only in its messages.
fn lookup_failure(host: &str, chain: &Chain<'_>) -> Diagnosis {
    const FOR_NOW: [&str; 4] = ["Temporary failure", "Try again", "timed out", "Non-recoverable failure"];
    let why = chain.last();
    if FOR_NOW.iter().any(|words| why.contains(words)) {
        Diagnosis::new(Cause::DnsUnavailable, format!("the name {host} could not be looked up: {why}"))
            .hint("check the cluster's DNS")
    } else {
        Diagnosis::new(Cause::HostNotFound, format!("the host {host} was not found: {why}"))
            .hint("check the name of the vault or registry, the suffix of the cloud, and the private DNS zone")
    }
}

fn tls_failure(host: &str, error: &rustls::Error) -> Diagnosis {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Diagnosis::new(Cause::TlsFailed, format!("TLS with {host} failed: {}", stable(&error.to_string())));
    };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Diagnosis::new(Cause::TlsWrongName, format!("the certificate of {host} is for another name{}", names(why)))
                .hint("use the normal name of the vault or registry (NAME.vault.azure.net, NAME.azurecr.io), also with a private endpoint")
        }
        // A CA that was recreated under its old name has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Diagnosis::new(Cause::TlsUnknownIssuer, format!("the certificate of {host} is from an unknown issuer"))
                .hint("if a proxy opens TLS, give its CA by --azure-ca-bundle, or by SSL_CERT_FILE")
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

/// The names that a certificate is valid for.
fn names(error: &CertificateError) -> String {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!(": {}", stable(&presented.join(", ")))
        }
        _ => String::new(),
    }
}

/// An error and its sources, outermost first.
struct Chain<'a>(Vec<&'a (dyn Error + 'static)>);

impl<'a> Chain<'a> {
    /// Longer than any real chain; guards against a cycle.
    const LONGEST: usize = 32;

    fn of(error: &'a (dyn Error + 'static)) -> Self {
        let mut chain = Vec::new();
        let mut link = Some(error);
        while let Some(current) = link.filter(|_| chain.len() < Self::LONGEST) {
            chain.push(current);
            // The source of an `io::Error` is that of the error it wraps, so the wrapped error would be skipped.
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

    /// The first text in the chain that begins with `words`.
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use reqwest::dns::{Addrs, Name, Resolve, Resolving};
    use reqwest::{ClientBuilder, Proxy};

    use super::*;

    const HOST: &str = "my-vault.vault.azure.net";

    /// How a request to the vault fails if its name resolves to `address`.
    async fn met(address: SocketAddr, client: ClientBuilder) -> Diagnosis {
        let client = client.resolve(HOST, address).build().unwrap();
        let error = client.get(format!("https://{HOST}:{}/", address.port())).send().await.unwrap_err();
        failure(HOST, &error)
    }

    fn client() -> ClientBuilder {
        reqwest::Client::builder().no_proxy()
    }

    /// A server that runs `answer` for each connection.
    fn server(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || listener.incoming().flatten().for_each(answer));
        address
    }

    /// A port without a listener, reserved so that no other test gets it.
    fn unused() -> (tokio::net::TcpSocket, SocketAddr) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn a_port_where_nothing_listens_is_a_refused_connection() {
        let (_socket, address) = unused();
        let diagnosis = met(address, client()).await;
        assert_eq!(diagnosis.cause, Cause::ConnectionRefused);
        assert_eq!(diagnosis.message, format!("{HOST} refused the connection"));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_a_timeout() {
        let address = server(|mut stream| {
            // Keeps reading, so that the connection stays open.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let diagnosis = met(address, client().timeout(Duration::from_millis(50))).await;
        assert_eq!(diagnosis.cause, Cause::Timeout);
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_a_broken_connection() {
        let diagnosis = met(server(drop), client()).await;
        assert_eq!(diagnosis.cause, Cause::ConnectionBroken);
    }

    #[tokio::test]
    async fn a_server_without_tls_is_a_failure_of_tls() {
        let address = server(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        });
        assert_eq!(met(address, client()).await.cause, Cause::TlsFailed);
    }

    /// A resolver that fails with the words of the C library's.
    struct Failing(&'static str);

    impl Resolve for Failing {
        fn resolve(&self, _: Name) -> Resolving {
            let words = self.0;
            let error = io::Error::other(format!("failed to lookup address information: {words}"));
            Box::pin(async move { Err::<Addrs, _>(error.into()) })
        }
    }

    #[rstest::rstest]
    #[case::gnu("Name or service not known", Cause::HostNotFound)]
    #[case::musl("Name does not resolve", Cause::HostNotFound)]
    #[case::no_address("No address associated with hostname", Cause::HostNotFound)]
    #[case::gnu_for_now("Temporary failure in name resolution", Cause::DnsUnavailable)]
    #[case::musl_for_now("Try again", Cause::DnsUnavailable)]
    #[tokio::test]
    async fn a_name_that_does_not_exist_differs_from_a_resolver_that_fails(
        #[case] words: &'static str,
        #[case] cause: Cause,
    ) {
        let client = client().dns_resolver(Arc::new(Failing(words))).build().unwrap();
        let error = client.get(format!("https://{HOST}/")).send().await.unwrap_err();
        let diagnosis = failure(HOST, &error);
        assert_eq!(diagnosis.cause, cause);
        assert!(diagnosis.message.contains(HOST) && diagnosis.message.contains(words), "{diagnosis}");
    }

    #[tokio::test]
    async fn a_proxy_that_does_not_connect_differs_from_a_failing_vault() {
        let refusing = server(|mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        });
        let (_socket, silent) = unused();
        for proxy in [refusing, silent] {
            let client = reqwest::Client::builder().proxy(Proxy::https(format!("http://{proxy}")).unwrap());
            let error = client.build().unwrap().get(format!("https://{HOST}/")).send().await.unwrap_err();
            let diagnosis = failure(HOST, &error);
            assert_eq!(diagnosis.cause, Cause::ProxyFailed, "{diagnosis}");
            assert!(diagnosis.hint.unwrap_or_default().contains("HTTPS_PROXY"));
        }
    }

    #[cfg(feature = "sandbox")]
    mod certificates {
        use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
        use rustls::pki_types::PrivateKeyDer;
        use rustls::{ServerConfig, ServerConnection};

        use super::*;

        /// A server with a certificate from its own CA, and that CA.
        fn server_with(change: impl FnOnce(&mut CertificateParams), name: &str) -> (SocketAddr, reqwest::Certificate) {
            server_of("a CA", change, name)
        }

        fn server_of(
            issuer: &str,
            change: impl FnOnce(&mut CertificateParams),
            name: &str,
        ) -> (SocketAddr, reqwest::Certificate) {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(rcgen::DnType::CommonName, issuer);
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();

            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            change(&mut params);
            let certificate = params.signed_by(&key, &ca).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
            let config = Arc::new(config);
            let address = server(move |mut stream| {
                let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
            });
            (address, reqwest::Certificate::from_der(ca.der()).unwrap())
        }

        #[tokio::test]
        async fn an_unknown_issuer_is_reported() {
            let (address, _) = server_of("a CA", |_| {}, HOST);
            for trusted in ["another CA", "a CA"] {
                let (_, other) = server_of(trusted, |_| {}, HOST);
                let diagnosis = met(address, client().tls_certs_only([other])).await;
                assert_eq!(diagnosis.cause, Cause::TlsUnknownIssuer, "{diagnosis}");
                assert!(diagnosis.hint.unwrap_or_default().contains("SSL_CERT_FILE"));
            }
        }

        #[tokio::test]
        async fn a_certificate_for_another_name_is_reported_with_its_name() {
            let (address, ca) = server_with(|_| {}, "another.example");
            let diagnosis = met(address, client().tls_certs_only([ca])).await;
            assert_eq!(diagnosis.cause, Cause::TlsWrongName);
            assert!(diagnosis.message.contains("another.example"), "{diagnosis}");
        }

        #[tokio::test]
        async fn a_certificate_that_has_expired_is_reported() {
            let (address, ca) = server_with(|params| params.not_after = date_time_ymd(2020, 1, 1), HOST);
            let diagnosis = met(address, client().tls_certs_only([ca])).await;
            assert_eq!(diagnosis.cause, Cause::TlsExpired);
        }
    }
}
