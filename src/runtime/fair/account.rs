//! How much a tenant has computed recently.

use std::time::{Duration, Instant};

/// What a tenant may compute before it has to wait as long as it computes.
const FREE: Duration = Duration::from_secs(1);

/// How much a tenant has computed recently: CPU time is added, and time without computing is subtracted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    level: Duration,
    at: Instant,
}

impl Account {
    /// The account of a new tenant.
    pub(super) const fn new(now: Instant) -> Self {
        Self { level: Duration::ZERO, at: now }
    }

    /// The tenant has computed for this long, until now.
    pub(super) fn charge(&mut self, computed: Duration, now: Instant) {
        let idle = now.saturating_duration_since(self.at).saturating_sub(computed);
        self.level = self.level.saturating_sub(idle) + computed;
        self.at = now;
    }

    /// How much it has computed recently.
    pub(super) fn level(&self, now: Instant) -> Duration {
        self.level.saturating_sub(now.saturating_duration_since(self.at))
    }

    /// Until when it must wait, if it has computed for too long.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        let over = self.level(now).saturating_sub(FREE);
        (!over.is_zero()).then(|| now + over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_tenant_that_computed_for_long_waits_about_as_long() {
        let start = Instant::now();
        let mut account = Account::new(start);
        let end = start + s(14);
        account.charge(s(14), end);
        assert_eq!(account.rests_until(end), Some(end + s(13)));
        assert_eq!(account.rests_until(end + s(13)), None);
    }

    #[test]
    fn a_tenant_that_computes_at_most_half_of_the_time_never_waits() {
        let start = Instant::now();
        let mut account = Account::new(start);
        for second in (2..200).step_by(2) {
            account.charge(s(1), start + s(second));
            assert_eq!(account.rests_until(start + s(second)), None, "after {second} s");
        }
    }

    #[test]
    fn time_in_which_a_busy_machine_gave_it_no_processor_is_not_charged() {
        let start = Instant::now();
        let mut account = Account::new(start);
        account.charge(s(3), start + s(60));
        account.charge(s(1), start + s(120));
        assert_eq!(account.level(start + s(120)), s(1));
    }
}
