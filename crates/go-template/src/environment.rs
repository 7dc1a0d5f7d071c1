//! What rendering gets from outside: the time and randomness.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rand::CryptoRng;

/// Where functions get the time and random bytes from. The local time zone is always UTC.
#[derive(Clone)]
pub struct Environment {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    random: Arc<dyn Fn() -> Box<dyn CryptoRng> + Send + Sync>,
}

impl Environment {
    /// With this clock, and a source of randomness that is made anew for each rendering.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        random: impl Fn() -> Box<dyn CryptoRng> + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), random: Arc::new(random) }
    }

    /// With the clock and randomness of the operating system.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Timestamp::now, || Box::new(rand::rng()))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn random(&self) -> Box<dyn CryptoRng> {
        (self.random)()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
