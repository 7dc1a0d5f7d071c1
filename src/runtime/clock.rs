//! A clock that is never adjusted.

use std::time::Duration;

#[cfg(unix)]
use rustix::time::{ClockId, clock_gettime};

/// The time since the machine was started, including the time it was suspended. Agreements between machines, such as
/// how long a lease lasts, need that: [`std::time::Instant`] stands still during suspension.
#[cfg(unix)]
#[must_use]
pub fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The time since the first call. Where this is used, only the commands run, which agree on nothing with other machines.
#[cfg(not(unix))]
#[must_use]
pub fn uptime() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}
