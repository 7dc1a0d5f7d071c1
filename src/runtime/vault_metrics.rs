//! Metrics of vaults, by host. A vault that is no longer used is forgotten, so that there are never more series than
//! vaults in use.

use prometheus::IntGaugeVec;

use super::registrar::Registrar;

/// Metrics of vaults. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VaultMetrics {
    waiting: IntGaugeVec,
    paused: IntGaugeVec,
    budget: IntGaugeVec,
}

impl VaultMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// If they are registered already.
    pub(super) fn register(registrar: &Registrar) -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str| registrar.int_gauges(name, help, &["vault"]);
        Ok(Self {
            waiting: gauges("external_secrets_vault_waiting_requests", "Requests that wait for their turn at a vault")?,
            paused: gauges(
                "external_secrets_vault_paused",
                "Whether requests to a vault are paused because it throttles or does not answer: 1, else 0",
            )?,
            budget: gauges(
                "external_secrets_vault_budget_requests",
                "Requests for secrets that may be sent to a vault in 10 s: what the vault served before it last refused some, or else what the operator allows",
            )?,
        })
    }

    /// Records the state of a vault.
    pub fn show(&self, host: &str, waiting: usize, paused: bool, budget: u32) {
        self.waiting.with_label_values(&[host]).set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.paused.with_label_values(&[host]).set(i64::from(paused));
        self.budget.with_label_values(&[host]).set(i64::from(budget));
    }

    /// Forgets a vault that is no longer used.
    pub fn forget(&self, host: &str) {
        for gauges in [&self.waiting, &self.paused, &self.budget] {
            // One that was never recorded cannot be removed, and need not be.
            let _ = gauges.remove_label_values(&[host]);
        }
    }
}
