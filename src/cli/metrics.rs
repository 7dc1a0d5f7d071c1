//! The flags of the metrics endpoint, which are ESO's and shared by all three processes.

use std::path::Path;
use std::sync::Arc;

use clap::{ArgAction, Args};
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::go_bool::go_bool;
use crate::runtime::authorization::Gatekeeper;
use crate::runtime::health::{Endpoints, HealthError, Operated, Protection};
use crate::runtime::tls::{self, CertificateFiles, Http2, Resolver, TlsError, TlsOptions};

/// Why the metrics cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A token would be sent in plain text.
    #[error("--metrics-auth needs --metrics-secure, since a bearer token must not travel in plain text")]
    AuthWithoutTls,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be used.
    #[error(transparent)]
    Health(#[from] HealthError),
}

/// Flags of the metrics endpoint.
#[derive(Args, Debug)]
#[command(next_help_heading = "Metrics")]
pub(super) struct MetricsArguments {
    /// Address of the metrics endpoint; "0" turns it off
    #[arg(long = "metrics-addr", default_value = ":8080")]
    address: String,
    /// Serve metrics over TLS
    #[arg(long = "metrics-secure", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    secure: bool,
    /// Serve metrics only to callers authorized to GET the nonResourceURL /metrics; needs --metrics-secure. Also lets
    /// callers authorized to GET or PUT /loglevel read or change the log level there
    #[arg(long = "metrics-auth", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    auth: bool,
    /// Folder with the certificate for --metrics-secure; while it has none, a self-signed one is served
    #[arg(id = "metrics_cert_dir", long = "metrics-cert-dir", default_value = "")]
    cert_dir: String,
    /// File name of the certificate in that folder
    #[arg(long = "metrics-cert-name", default_value = "tls.crt")]
    cert_name: String,
    /// File name of the key in that folder
    #[arg(long = "metrics-key-name", default_value = "tls.key")]
    key_name: String,
    /// Offer HTTP/2 on endpoints that serve TLS
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_http2: bool,
}

impl MetricsArguments {
    /// Whether the API server must authorize readers of the metrics.
    pub(super) fn need_client(&self) -> bool {
        self.auth
    }

    /// Whether HTTP/2 is offered.
    pub(super) fn http2(&self) -> Http2 {
        Http2::enabled(self.enable_http2)
    }

    /// Serves the metrics until `stop`.
    pub(super) fn serve(
        &self,
        endpoints: &Endpoints,
        operated: Operated,
        client: Option<Client>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let protection = self.protection(client, &stop)?;
        Ok(endpoints.serve_metrics(&self.address, operated, protection, stop)?)
    }

    fn protection(&self, client: Option<Client>, stop: &CancellationToken) -> Result<Protection, Error> {
        if !self.secure {
            return if self.auth { Err(Error::AuthWithoutTls) } else { Ok(Protection::None) };
        }
        let resolver = if self.cert_dir.is_empty() {
            Arc::new(tls::self_signed("localhost")?)
        } else {
            let files = CertificateFiles::named(Path::new(&self.cert_dir), &self.cert_name, &self.key_name, None);
            let resolver = Arc::new(if files.exist() {
                Resolver::default()
            } else {
                let (certificate, key) = (files.certificate.display(), files.key.display());
                tracing::warn!(%certificate, %key, "no certificate for the metrics yet; until there is, a self-signed one is served");
                tls::self_signed("localhost")?
            });
            tokio::spawn(Arc::clone(&resolver).follow(files, stop.clone()));
            resolver
        };
        let options = TlsOptions::new("", "", self.http2())?;
        let gatekeeper = client.filter(|_| self.auth).map(Gatekeeper::new);
        Ok(Protection::Tls(Arc::new(options.server_config(resolver)?), gatekeeper))
    }
}
