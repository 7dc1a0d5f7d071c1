//! Requests in progress, shared by namespaces. The author of a store may choose hosts that accept a connection and
//! never answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cloud::HostsOf;
use super::diagnose::{Cause, Diagnosis};
use super::kept_hosts::KeptHosts;
use super::lookups::counted_for;
use crate::provider::shares::{Share, Shares};

/// The most requests in progress to all vaults and authorities. Each holds a connection and its file descriptor, of
/// which some machines allow a process 1024.
const MOST: usize = 512;

/// How long an exchange waits for a connection of its namespace.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections that requests hold, by the namespace that they are made for.
pub(super) struct Connections {
    shares: Arc<Shares>,
    /// The hosts whose connections stay open after a request.
    kept: Arc<KeptHosts>,
    patience: Duration,
}

/// A connection that a namespace may use for one request.
#[derive(Debug)]
pub(super) struct Connection(Share);

impl Connection {
    /// Sends a request, and returns the connection to those that are free. What else the request needs counts for the
    /// same namespace.
    pub(super) async fn carry<T>(self, request: impl Future<Output = T>) -> T {
        counted_for(self.0.namespace(), request).await
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination<'a> {
    pub(super) host: &'a str,
    pub(super) hosts_of: HostsOf,
}

impl Connections {
    pub(super) fn new(kept: Arc<KeptHosts>) -> Self {
        Self { shares: Shares::new(MOST), kept, patience: PATIENCE }
    }

    /// A connection for one request, if the namespace may have another one now.
    pub(super) fn try_take(&self, namespace: &Arc<str>, to: Destination<'_>) -> Option<Connection> {
        let share = self.shares.try_take(namespace, 1)?;
        self.used(namespace, to);
        Some(Connection(share))
    }

    fn used(&self, namespace: &Arc<str>, to: Destination<'_>) {
        // Connections to hosts of tenants are never kept.
        if to.hosts_of == HostsOf::Operator {
            self.kept.used(to.host, namespace, Instant::now());
        }
    }

    /// A connection, as soon as the namespace may have one.
    ///
    /// # Errors
    /// If that takes more than a few seconds.
    pub(super) async fn take(&self, namespace: &str, to: Destination<'_>) -> Result<Connection, Diagnosis> {
        let namespace = namespace.into();
        let share = self.shares.take_within(&namespace, 1, self.patience).await.ok_or_else(crowded)?;
        self.used(&namespace, to);
        Ok(Connection(share))
    }
}

/// The error if a request gets no connection.
pub(super) fn crowded() -> Diagnosis {
    let message =
        "too many requests to vaults and authorities are in flight: one namespace may have half of what all share";
    Diagnosis::new(Cause::ConnectionsCrowded, message)
        .hint("the controller retries; if it lasts, look for stores whose hosts do not answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Destination<'_> = Destination { host: "my-vault.vault.azure.net", hosts_of: HostsOf::Operator };

    fn connections() -> Connections {
        Connections::new(Arc::new(KeptHosts::new()))
    }

    #[test]
    fn a_namespace_whose_hosts_do_not_answer_leaves_connections_to_others() {
        let connections = connections();
        let hang = |namespace: &str| {
            let namespace: Arc<str> = namespace.into();
            std::iter::from_fn(|| connections.try_take(&namespace, ANYWHERE)).collect::<Vec<_>>()
        };
        let first = hang("one");
        assert_eq!(first.len(), MOST / 2);
        let second = hang("another");
        assert_eq!(second.len(), MOST / 4);
        assert!(connections.try_take(&"victim".into(), ANYWHERE).is_some());
        drop(first);
        assert!(connections.try_take(&"one".into(), ANYWHERE).is_some());
    }

    #[tokio::test]
    async fn an_exchange_that_finds_no_free_connection_fails_after_a_while() {
        let connections = Connections { patience: Duration::from_millis(1), ..connections() };
        let namespace: Arc<str> = "one".into();
        let mut held: Vec<_> = std::iter::from_fn(|| connections.try_take(&namespace, ANYWHERE)).collect();
        let told = connections.take("one", ANYWHERE).await.unwrap_err();
        assert_eq!(told.cause, Cause::ConnectionsCrowded);
        held.pop();
        assert!(connections.take("one", ANYWHERE).await.is_ok());
    }
}
