//! How often a Lease is renewed, and how long it lasts.

use std::time::Duration;

/// Timings, named as in controller-runtime and with its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the others wait before they take over a lease that is not renewed.
    pub lease_duration: Duration,
    /// How long a leader keeps writing without a renewal.
    pub renew_deadline: Duration,
    /// The interval between attempts to renew the lease or to lead.
    pub retry_period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// Timings under which two replicas could lead at once, or none for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A leader would write for as long as others wait, or longer.
    #[error(
        "--leader-election-lease-duration must be longer than --leader-election-renew-deadline, or two replicas could write at once"
    )]
    LeaseTooShort,
    /// One failed attempt would end the leadership.
    #[error("--leader-election-renew-deadline must be at least 1.2 times --leader-election-retry-period")]
    DeadlineTooShort,
    /// The API server would be asked without a pause.
    #[error("--leader-election-retry-period must be longer than zero")]
    NoPause,
}

impl Timing {
    /// Checks the times against each other, as client-go does.
    ///
    /// # Errors
    /// [`TimingError`]
    pub fn checked(self) -> Result<Self, TimingError> {
        if self.lease_duration <= self.renew_deadline {
            Err(TimingError::LeaseTooShort)
        } else if self.renew_deadline <= self.retry_period.mul_f64(1.2) {
            Err(TimingError::DeadlineTooShort)
        } else if self.retry_period.is_zero() {
            Err(TimingError::NoPause)
        } else {
            Ok(self)
        }
    }
}
