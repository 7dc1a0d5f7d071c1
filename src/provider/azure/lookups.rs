//! DNS lookups of hosts that a tenant chose.
//!
//! A lookup occupies a thread until the system's resolver gives up, which is long after the request that needs it was
//! given up. The author of a store may name any number of hosts in a zone whose servers do not answer. These lookups
//! therefore have a few threads of their own, and take none from those of Azure's hosts.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// The most concurrent lookups.
const MOST: usize = 32;

/// Looks up a name, which may take long.
type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// A resolver with few threads.
pub(super) struct FewLookups {
    places: Arc<Semaphore>,
    lookup: Lookup,
}

impl FewLookups {
    /// With the system's resolver.
    pub(super) fn of_system() -> Self {
        Self::new(|host| Ok((host, 0).to_socket_addrs()?.collect()))
    }

    fn new(lookup: Lookup) -> Self {
        Self { places: Arc::new(Semaphore::new(MOST)), lookup }
    }
}

impl Resolve for FewLookups {
    fn resolve(&self, name: Name) -> Resolving {
        let (places, lookup) = (Arc::clone(&self.places), self.lookup);
        Box::pin(async move {
            let place = places.acquire_owned().await?;
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
    async fn names_that_nobody_answers_for_take_few_threads_however_many_requests_are_given_up() {
        let lookups = FewLookups::new(hangs);
        let resolve = |number: usize| lookups.resolve(format!("h{number}.example.com").parse().unwrap());
        for number in 0..1000 {
            // Given up at once.
            assert!(resolve(number).now_or_never().is_none());
        }
        let waiting = tokio::spawn(resolve(1000));
        while BEGUN.load(Ordering::SeqCst) < MOST {
            tokio::task::yield_now().await;
        }
        assert_eq!(lookups.places.available_permits(), 0);
        assert_eq!(BEGUN.load(Ordering::SeqCst), MOST);
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
