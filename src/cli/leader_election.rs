//! The flags of leader election, which are ESO's, with the same defaults.

use clap::{ArgAction, Args};

use super::go_bool::go_bool;
use crate::api::GoDuration;
use crate::runtime::leader_election::{Settings, Timing, TimingError};

/// Flags of leader election.
#[derive(Args, Debug)]
#[command(next_help_heading = "Leader election")]
pub(super) struct LeaderElectionArguments {
    /// Elect a leader among the replicas; the others stand by
    #[arg(long = "enable-leader-election", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enabled: bool,
    /// Name of the Lease, in the pod's namespace; must be unique to the deployment
    #[arg(long = "leader-election-id", default_value = "external-secrets-controller")]
    id: String,
    /// How long the other replicas wait before they take over a lease that is not renewed
    #[arg(long = "leader-election-lease-duration", default_value = "15s")]
    lease_duration: GoDuration,
    /// How long a leader keeps working without renewing its lease; must be shorter than the lease duration
    #[arg(long = "leader-election-renew-deadline", default_value = "10s")]
    renew_deadline: GoDuration,
    /// Interval between attempts to acquire or renew the lease
    #[arg(long = "leader-election-retry-period", default_value = "2s")]
    retry_period: GoDuration,
}

impl LeaderElectionArguments {
    /// The settings; `None` without leader election.
    pub(super) fn settings(&self, namespace: &str) -> Result<Option<Settings>, TimingError> {
        if !self.enabled {
            return Ok(None);
        }
        let duration = |duration: GoDuration| duration.positive().unwrap_or_default();
        let timing = Timing {
            lease_duration: duration(self.lease_duration),
            renew_deadline: duration(self.renew_deadline),
            retry_period: duration(self.retry_period),
        };
        Ok(Some(Settings { namespace: namespace.to_owned(), name: self.id.clone(), timing: timing.checked()? }))
    }
}
