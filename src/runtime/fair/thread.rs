//! What the operating system knows about a thread.

use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::process::Pid;
#[cfg(unix)]
use rustix::time::{ClockId, clock_gettime};

/// By how much the priority of a thread that computes for long is lowered. If two threads compete for a processor, the
/// other gets nine tenths of it.
#[cfg(target_os = "linux")]
const LOWER: i32 = 10;
/// The lowest priority.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// The CPU time of the calling thread.
#[cfg(unix)]
pub(super) fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The time since the first call, which no thread can compute for longer than.
#[cfg(not(unix))]
pub(super) fn computed() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

/// A handle to a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    #[cfg(target_os = "linux")]
    id: Pid,
}

impl Thread {
    /// The calling thread.
    pub(super) fn current() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            id: rustix::thread::gettid(),
        }
    }

    /// Its CPU time; `None` if the system does not report it.
    pub(super) fn computed(self) -> Option<Duration> {
        #[cfg(target_os = "linux")]
        {
            let path = format!("/proc/self/task/{}/schedstat", self.id.as_raw_nonzero());
            let statistics = std::fs::read_to_string(path).ok()?;
            Some(Duration::from_nanos(statistics.split(' ').next()?.parse().ok()?))
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Lowers its priority permanently: raising it again requires a privilege. To Linux, a thread is a process in this
    /// respect.
    pub(super) fn yield_to_others(self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(Some(self.id), (priority() + LOWER).min(LOWEST)) {
            tracing::debug!(%error, "a thread that computes for long keeps its priority");
        }
    }
}

/// The priority of the calling thread, which the threads that it starts inherit. A higher number means a later turn.
pub(super) fn priority() -> i32 {
    #[cfg(target_os = "linux")]
    return rustix::process::getpriority_process(None).unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn others_see_the_same_time_as_the_thread_itself() {
        let started = computed();
        while computed() < started + Duration::from_millis(30) {}
        let seen = Thread::current().computed().unwrap();
        let own = computed();
        assert!(seen <= own + Duration::from_millis(20) && seen + Duration::from_millis(20) >= own, "{seen:?} {own:?}");
    }

    #[test]
    fn only_the_thread_itself_yields() {
        let before = priority();
        let within = std::thread::spawn(|| {
            Thread::current().yield_to_others();
            priority()
        });
        assert!(before == LOWEST || within.join().unwrap() > before);
        assert_eq!(priority(), before);
    }
}
