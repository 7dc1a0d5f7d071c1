//! Limits the lines of the log that are not about an object with an allowance of events, such as those about an identity
//! or a vault. Anybody may write stores whose identities and vaults fail in another way all the time, so each namespace
//! has an allowance of such lines.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::allowances::Allowances;

/// Lines that may be about one namespace at once.
const BURST: u16 = 60;
/// Time until one more is allowed.
const REFILL: Duration = Duration::from_secs(10);

/// There is one log, so there is one of these.
static LINES: LazyLock<Mutex<Lines>> = LazyLock::new(|| Mutex::new(Lines::new()));

#[derive(Debug)]
struct Lines {
    allowances: Allowances,
    hasher: RandomState,
    left_out: u64,
}

/// Whether one more line may be about a namespace; empty for what belongs to none. If so, it is counted.
#[must_use]
pub fn take(namespace: &str) -> bool {
    lines().take(namespace, Instant::now())
}

/// Logs how many lines were left out since the last call, if there were any.
pub fn say_what_was_left_out() {
    let left_out = std::mem::take(&mut lines().left_out);
    if left_out > 0 {
        tracing::warn!(
            left_out,
            "lines about identities, vaults and registries were left out: a namespace had too many"
        );
    }
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    fn new() -> Self {
        Self { allowances: Allowances::new(BURST, REFILL), hasher: RandomState::new(), left_out: 0 }
    }

    fn take(&mut self, namespace: &str, now: Instant) -> bool {
        let may = self.allowances.take(self.hasher.hash_one(namespace), now);
        self.left_out += u64::from(!may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_with_very_many_failures_leaves_the_log_to_others_and_what_is_left_out_is_counted() {
        let (mut lines, now) = (Lines::new(), Instant::now());
        let logged = (0..1000).filter(|_| lines.take("attacker", now)).count();
        assert_eq!((logged, lines.left_out), (usize::from(BURST), 1000 - u64::from(BURST)));
        assert!(lines.take("victim", now));
        assert!(lines.take("attacker", now + REFILL) && !lines.take("attacker", now + REFILL));
    }
}
