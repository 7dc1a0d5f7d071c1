//! The flags of leader election: those of ESO, with its defaults.

use clap::{ArgAction, Args};

use super::go_bool;
use crate::api::GoDuration;
use crate::runtime::leader_election::{Settings, Timing, TimingError};

/// Flags of leader election.
#[derive(Args, Debug)]
#[command(next_help_heading = "Leader election")]
pub(super) struct LeaderElectionArguments {
    /// Let one of several replicas work, and the others stand by
    #[arg(long = "enable-leader-election", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enabled: bool,
    /// The name of the Lease, in the namespace of the pod; unique to a deployment
    #[arg(long = "leader-election-id", default_value = "external-secrets-controller")]
    id: String,
    /// How long others wait for a leader that does not renew its lease
    #[arg(long = "leader-election-lease-duration", default_value = "15s")]
    lease_duration: GoDuration,
    /// How long a leader works on that cannot renew its lease; shorter than the lease duration
    #[arg(long = "leader-election-renew-deadline", default_value = "10s")]
    renew_deadline: GoDuration,
    /// How often it is tried to renew the lease, or to get it
    #[arg(long = "leader-election-retry-period", default_value = "2s")]
    retry_period: GoDuration,
}

impl LeaderElectionArguments {
    /// The settings, or `None` where there is no election.
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
