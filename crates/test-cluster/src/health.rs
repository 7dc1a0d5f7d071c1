//! Waits for the API server.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::{Certificate, Client, StatusCode};

use crate::supervisor::{Process, SupervisorError};

use super::credentials::Credentials;
use super::error::ClusterError;

/// How often the API server is asked whether it is ready.
const INTERVAL: Duration = Duration::from_millis(50);

/// How many lines of a log an error shows.
const TAIL_LINES: usize = 15;

/// Asks the API server, as the administrator.
#[derive(Debug)]
pub(super) struct Probe {
    client: Client,
    url: String,
    token: String,
}

impl Probe {
    pub(super) fn new(url: &str, credentials: &Credentials) -> Result<Self, ClusterError> {
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(credentials.ca_pem.as_bytes())?])
            .no_proxy()
            .timeout(Duration::from_secs(5))
            // Otherwise a connection to a server that has been replaced would be tried first.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, url: url.to_owned(), token: credentials.admin_token.clone() })
    }

    /// Whether everything that a user relies on exists; if not, the answer.
    async fn ask(&self) -> Result<(), String> {
        // The namespace is created a moment after the server reports that it is ready.
        for path in ["/readyz", "/api/v1/namespaces/default"] {
            let response = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await;
            match response {
                Ok(response) if response.status() == StatusCode::OK => {}
                Ok(response) => return Err(format!("{path} answers {}", response.status())),
                Err(error) => return Err(format!("{path} gives no answer: {error}")),
            }
        }
        Ok(())
    }
}

/// Waits until the API server is ready, or until one of the processes that it needs (the last of them is the API server
/// itself) ends.
pub(super) async fn becomes_ready(probe: &Probe, needed: &[&Process], deadline: Duration) -> Result<(), ClusterError> {
    let mut answer = String::from("it was not asked");
    let ready = async {
        loop {
            match probe.ask().await {
                Ok(()) => return,
                Err(latest) => answer = latest,
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let mut ends: FuturesUnordered<_> =
        needed.iter().map(|process| async { (*process, process.exited().await) }).collect();
    let outcome = tokio::select! {
        () = ready => return Ok(()),
        Some(end) = ends.next() => Some(end),
        () = tokio::time::sleep(deadline) => None,
    };
    Err(match (outcome, needed.last()) {
        (Some((process, Some(exit))), _) => ClusterError::Ended {
            program: process.name(),
            exit,
            log: process.log().to_owned(),
            tail: process.log_tail(TAIL_LINES),
        },
        (None, Some(process)) => ClusterError::NotReady {
            after: deadline,
            answer,
            log: process.log().to_owned(),
            tail: process.log_tail(TAIL_LINES),
        },
        (Some((_, None)), _) | (None, None) => SupervisorError::Gone.into(),
    })
}
