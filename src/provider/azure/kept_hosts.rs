//! Hosts whose idle connections are kept for the next requests. A tenant may have any number of vaults, and each idle
//! connection occupies memory and a file descriptor, so only a few hosts keep theirs. Requests to the others open a
//! connection each, which costs a handshake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::provider::shares::{Share, Shares};

/// The most hosts that keep connections, of which one namespace may have half.
const MOST: usize = 64;

/// Azure's load balancers close idle connections after 4 minutes.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// After this time without a request, a host has no idle connection left: the pool looks for expired connections once
/// per [`IDLE_TIMEOUT`], and a request may have taken as long as that.
const KEPT_FOR: Duration = IDLE_TIMEOUT.saturating_mul(3);

/// The hosts whose idle connections are kept.
#[derive(Debug)]
pub(super) struct KeptHosts {
    shares: Arc<Shares>,
    hosts: Mutex<HashMap<Box<str>, Kept>>,
}

#[derive(Debug)]
struct Kept {
    used: Instant,
    /// Of the namespace that first used the host.
    _share: Share,
}

impl KeptHosts {
    pub(super) fn new() -> Self {
        Self { shares: Shares::new(MOST), hosts: Mutex::default() }
    }

    /// A request is about to be sent to `host` on behalf of a namespace. The host keeps its connections from now on if
    /// the namespace may have another such host.
    pub(super) fn used(&self, host: &str, namespace: &Arc<str>, now: Instant) {
        let mut hosts = self.hosts();
        if let Some(kept) = hosts.get_mut(host) {
            kept.used = now;
            return;
        }
        hosts.retain(|_, kept| now.saturating_duration_since(kept.used) < KEPT_FOR);
        if let Some(share) = self.shares.try_take(namespace, 1) {
            hosts.insert(host.into(), Kept { used: now, _share: share });
        }
    }

    /// Whether a host keeps its connections.
    pub(super) fn contains(&self, host: &str) -> bool {
        self.hosts().contains_key(host)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<Box<str>, Kept>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_with_many_vaults_leaves_kept_connections_to_others() {
        let (kept, now) = (KeptHosts::new(), Instant::now());
        let count = |namespace: &str, at| {
            let namespace: Arc<str> = namespace.into();
            let hosts: Vec<_> = (0..100).map(|number| format!("{namespace}-{number}")).collect();
            for host in &hosts {
                kept.used(host, &namespace, at);
            }
            hosts.iter().filter(|host| kept.contains(host)).count()
        };
        assert_eq!(count("one", now), MOST / 2);
        assert_eq!(count("another", now), MOST / 4);
        kept.used("victim", &"victim".into(), now);
        assert!(kept.contains("victim"));
    }

    #[test]
    fn a_host_that_is_not_used_any_more_makes_room() {
        let (kept, now) = (KeptHosts::new(), Instant::now());
        let namespace: Arc<str> = "one".into();
        for number in 0..MOST {
            kept.used(&format!("host-{number}"), &namespace, now);
        }
        let later = now + KEPT_FOR / 2;
        kept.used("host-0", &namespace, later);
        kept.used("next", &namespace, later);
        assert!(!kept.contains("next"));
        kept.used("next", &namespace, now + KEPT_FOR);
        assert!(kept.contains("next") && kept.contains("host-0") && !kept.contains("host-1"));
    }
}
