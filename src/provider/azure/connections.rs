//! Requests in progress, shared by namespaces. The author of a store may choose hosts that accept a connection and
//! never answer.

use std::sync::Arc;
use std::time::Duration;

use super::diagnose::{Cause, Diagnosis};
use crate::provider::shares::{Share, Shares};

/// The most requests in progress to all vaults and authorities. Each holds a connection and its file descriptor, of
/// which some machines allow a process 1024.
const MOST: usize = 512;

/// How long an exchange waits for a connection of its namespace.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections that requests hold, by the namespace that they are made for.
pub(super) struct Connections {
    shares: Arc<Shares>,
    patience: Duration,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self { shares: Shares::new(MOST), patience: PATIENCE }
    }

    /// A connection, if the namespace may have another one now.
    pub(super) fn try_take(&self, namespace: &Arc<str>) -> Option<Share> {
        self.shares.try_take(namespace, 1)
    }

    /// A connection, as soon as the namespace may have one.
    ///
    /// # Errors
    /// If that takes more than a few seconds.
    pub(super) async fn take(&self, namespace: &str) -> Result<Share, Diagnosis> {
        self.shares.take_within(&namespace.into(), 1, self.patience).await.ok_or_else(crowded)
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

    #[test]
    fn a_namespace_whose_hosts_do_not_answer_leaves_connections_to_others() {
        let connections = Connections::new();
        let hang = |namespace: &str| {
            let namespace: Arc<str> = namespace.into();
            std::iter::from_fn(|| connections.try_take(&namespace)).collect::<Vec<_>>()
        };
        let first = hang("one");
        assert_eq!(first.len(), MOST / 2);
        let second = hang("another");
        assert_eq!(second.len(), MOST / 4);
        assert!(connections.try_take(&"victim".into()).is_some());
        drop(first);
        assert!(connections.try_take(&"one".into()).is_some());
    }

    #[tokio::test]
    async fn an_exchange_that_finds_no_free_connection_fails_after_a_while() {
        let connections = Connections { patience: Duration::from_millis(1), ..Connections::new() };
        let namespace: Arc<str> = "one".into();
        let mut held: Vec<_> = std::iter::from_fn(|| connections.try_take(&namespace)).collect();
        let told = connections.take("one").await.unwrap_err();
        assert_eq!(told.cause, Cause::ConnectionsCrowded);
        held.pop();
        assert!(connections.take("one").await.is_ok());
    }
}
