//! The providers of the controller, which count what they do.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, ProviderArguments, Tenants};
use crate::controller::run::MakeProviders;
use crate::provider::ProviderMetrics;
use crate::provider::azure::{AzureKeyVault, Options};
use crate::provider::metrics::{ApiCall, CallStatus, GateState, Probe, SharedRead};
use crate::runtime::metrics::Metrics;

/// The provider's name in metrics, as in ESO.
const AZURE: &str = "Azure/KeyVault";

/// A function that creates the providers as soon as the cluster can be read.
///
/// Objects that are pushed are tagged with `owner`, if it is given.
pub(in crate::cli) fn build(
    arguments: &ProviderArguments,
    tenants: Tenants,
    owner: Option<String>,
    metrics: Metrics,
) -> Result<MakeProviders, Error> {
    let options = Options { push_owner: owner, ..arguments.options(tenants)? };
    Ok(Box::new(move |cluster| Ok(super::providers(AzureKeyVault::new(options, cluster, Arc::new(Counted(metrics)))?))))
}

/// Adds the provider's counters to the program's metrics.
struct Counted(Metrics);

impl ProviderMetrics for Counted {
    fn api_call(&self, call: ApiCall, status: CallStatus, took: Duration) {
        self.0.provider_call(call.provider(), call.label(), status.label(), took);
    }

    fn token_exchange(&self, status: CallStatus) {
        self.0.token_exchange(status.label());
    }

    fn shared_read(&self, how: SharedRead) {
        self.0.coalesced_read(AZURE, how.label());
    }

    fn throttled(&self) {
        self.0.throttled(AZURE);
    }

    fn gate_wait(&self, waited: Duration) {
        self.0.gate_wait(AZURE, waited);
    }

    fn gate(&self, host: &str, state: Option<GateState>) {
        match state {
            Some(GateState { waiting, paused, budget }) => self.0.vaults().show(host, waiting, paused, budget),
            None => self.0.vaults().forget(host),
        }
    }

    fn probe(&self, of: Probe) {
        self.0.probe(AZURE, of.label());
    }
}
