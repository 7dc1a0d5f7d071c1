//! An attacker's host: it listens, and counts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener on this machine that the controller reaches without a proxy.
pub struct HostileHost {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl HostileHost {
    pub async fn listen() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, connections }
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
