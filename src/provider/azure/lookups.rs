//! DNS lookups of hosts that a tenant chose.
//!
//! A lookup occupies a thread until the system's resolver gives up, which is long after the request that needs it was
//! given up. The author of a store may name any number of hosts in a zone whose servers do not answer. These lookups
//! therefore have a few threads of their own, which namespaces share, and take none from those of Azure's hosts.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::provider::shares::Shares;

/// The most concurrent lookups, of which one namespace may have half.
const MOST: usize = 32;

/// How long a lookup waits for others of its namespace. The request that needs it is given up before.
const PATIENCE: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// The namespace for which a request is sent.
    static NAMESPACE: Arc<str>;
}

/// Runs a request, whose lookups count for this namespace.
pub(super) async fn counted_for<T>(namespace: &Arc<str>, request: impl Future<Output = T>) -> T {
    // Requests are large, and would be kept twice.
    NAMESPACE.scope(Arc::clone(namespace), Box::pin(request)).await
}

/// Looks up a name, which may take long.
type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// A resolver with few threads.
pub(super) struct FewLookups {
    places: Arc<Shares>,
    lookup: Lookup,
}

impl FewLookups {
    /// With the system's resolver.
    pub(super) fn of_system() -> Self {
        Self::new(|host| Ok((host, 0).to_socket_addrs()?.collect()))
    }

    fn new(lookup: Lookup) -> Self {
        Self { places: Shares::new(MOST), lookup }
    }
}

impl Resolve for FewLookups {
    fn resolve(&self, name: Name) -> Resolving {
        let (places, lookup) = (Arc::clone(&self.places), self.lookup);
        // Requests without a namespace share what one has.
        let namespace = NAMESPACE.try_with(Arc::clone).unwrap_or_else(|_| "".into());
        Box::pin(async move {
            let place = places
                .take_within(&namespace, 1, PATIENCE)
                .await
                .ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))?;
            let found = tokio::task::spawn_blocking(move || {
                // Held until the lookup ends, even if nobody is waiting for it.
                let _place = place;
                lookup(name.as_str())
            });
            Ok(Box::new(found.await??.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use futures::FutureExt as _;

    use super::*;

    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    /// A zone whose servers do not answer.
    fn hangs(_: &str) -> io::Result<Vec<SocketAddr>> {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        drop(OVER.1.wait_while(OVER.0.lock().unwrap(), |over| !*over).unwrap());
        Err(io::ErrorKind::TimedOut.into())
    }

    #[tokio::test]
    async fn names_that_nobody_answers_for_take_few_threads_and_leave_some_to_other_namespaces() {
        let lookups = FewLookups::new(hangs);
        let resolve = |number: usize| lookups.resolve(format!("h{number}.example.com").parse().unwrap());
        let (attacker, victim): (Arc<str>, Arc<str>) = ("attacker".into(), "victim".into());
        let begin =
            |number: usize, namespace: &Arc<str>| NAMESPACE.sync_scope(Arc::clone(namespace), || resolve(number));
        for number in 0..1000 {
            // Given up at once.
            assert!(begin(number, &attacker).now_or_never().is_none());
        }
        let until_begun = async |most: usize| {
            while BEGUN.load(Ordering::SeqCst) < most {
                tokio::task::yield_now().await;
            }
            assert_eq!(BEGUN.load(Ordering::SeqCst), most);
        };
        until_begun(MOST / 2).await;
        let waiting = tokio::spawn(begin(1000, &victim));
        until_begun(MOST / 2 + 1).await;
        *OVER.0.lock().unwrap() = true;
        OVER.1.notify_all();
        let error = waiting.await.unwrap().err().unwrap();
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_by_the_system() {
        let found = FewLookups::of_system().resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
