//! What rendering gets from outside: the time, randomness and CPU time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::CryptoRng;

/// The source of time and random bytes. The local time zone is always UTC.
#[derive(Clone)]
pub struct Environment {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    random: Arc<dyn Fn() -> Box<dyn CryptoRng> + Send + Sync>,
    cpu_time: CpuClock,
}

/// Measures the CPU time of a thread.
pub(super) type CpuClock = Arc<dyn Fn() -> Duration + Send + Sync>;

impl Environment {
    /// With this clock, and a new source of randomness for each rendering. CPU time is measured by the operating
    /// system's thread clock.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        random: impl Fn() -> Box<dyn CryptoRng> + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), random: Arc::new(random), cpu_time: Arc::new(thread_time) }
    }

    /// With another clock for CPU time.
    #[must_use]
    pub fn with_cpu_time(self, cpu_time: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { cpu_time: Arc::new(cpu_time), ..self }
    }

    /// With the clock and randomness of the operating system.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Timestamp::now, || Box::new(rand::rng()))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn cpu_time(&self) -> CpuClock {
        Arc::clone(&self.cpu_time)
    }

    pub(super) fn random(&self) -> Box<dyn CryptoRng> {
        (self.random)()
    }
}

/// The CPU time of this thread.
#[cfg(unix)]
fn thread_time() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The time since the first call, which no thread can compute for longer than.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
