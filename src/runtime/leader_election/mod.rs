//! Elects one of several replicas as the leader: the holder of a Lease.
//!
//! The Lease is written with `replace` and the version that was read, so if two try at the same time, one fails. The
//! leader may write until `renew_deadline` after it *began* its last successful renewal, by a clock that includes
//! suspension. Another may lead `lease_duration` after it last saw the Lease change, which is later. Every write passes
//! the [`WriteGuard`].
//!
//! The Lease is that of ESO's manager, so that during an upgrade from ESO, or back, only one of the two leads.

mod guard;
mod lease;
mod lease_object;
mod timing;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::PostParams;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::uptime;
use crate::answers::{Objects, reason};
pub use guard::{GuardLayer, Guarded, LeaseLost, WriteGuard};
use lease::{Candidate, Decision};
use lease_object::Lease;
pub use timing::{Timing, TimingError};

/// Which Lease, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// The timings.
    pub timing: Timing,
}

/// A lease that this process holds and renews until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Leadership {
    guard: WriteGuard,
    ended: CancellationToken,
    renewal: JoinHandle<Result<(), LeaseLost>>,
    finish: CancellationToken,
}

/// Waits until this process leads; `None` if `stop` is canceled first.
///
/// Failures are logged and retried.
pub async fn acquire(client: Client, settings: Settings, stop: &CancellationToken) -> Option<Leadership> {
    let candidate = Candidate::new(identity(), settings.timing);
    tracing::info!(lease = settings.name, namespace = settings.namespace, "waiting to lead");
    let mut elector = Elector::new(client, settings, candidate);
    let (lease, since) = stop.run_until_cancelled(elector.acquire()).await?;
    tracing::info!(lease = elector.settings.name, identity = elector.candidate.identity(), "leading");
    let guard = WriteGuard::until(since + elector.settings.timing.renew_deadline);
    let (ended, finish) = (CancellationToken::new(), CancellationToken::new());
    let leading = elector.lead(lease, guard.clone(), ended.clone(), finish.clone());
    // Also if it panics.
    let lost = ended.clone().drop_guard();
    let renewal = tokio::spawn(async move {
        let _lost = lost;
        leading.await
    });
    Some(Leadership { guard, ended, renewal, finish })
}

impl Leadership {
    /// The guard that all writes must pass.
    #[must_use]
    pub fn guard(&self) -> WriteGuard {
        self.guard.clone()
    }

    /// Canceled when the leadership is lost.
    #[must_use]
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Releases the lease. Call it when all work is done, because nothing can be written afterwards.
    ///
    /// # Errors
    /// [`LeaseLost`] if the leadership was lost before.
    pub async fn finish(self) -> Result<(), LeaseLost> {
        self.finish.cancel();
        let result = self.renewal.await.unwrap_or(Err(LeaseLost));
        self.guard.revoke();
        result
    }
}

/// Unique to this process: the machine's name and a random part, as in client-go.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    format!("{host}_{:032x}", rand::random::<u128>())
}

/// The result of an attempt.
enum Attempt {
    /// We hold the Lease, in this version.
    Held(Box<Lease>),
    /// Somebody else holds it.
    HeldBy(String),
    /// Somebody else wrote it at the same time.
    Contended,
}

struct Elector {
    api: Objects<Lease>,
    settings: Settings,
    candidate: Candidate,
}

impl Elector {
    fn new(client: Client, settings: Settings, candidate: Candidate) -> Self {
        Self { api: Objects::namespaced(client, &settings.namespace, &()), settings, candidate }
    }

    /// The Lease that we now hold, and the uptime at the beginning of the attempt.
    async fn acquire(&mut self) -> (Box<Lease>, Duration) {
        let mut holder = None;
        loop {
            let began = uptime();
            match self.attempt(None, self.settings.timing.renew_deadline).await {
                Ok(Attempt::Held(lease)) => return (lease, began),
                Ok(Attempt::HeldBy(other)) if holder.as_ref() != Some(&other) => {
                    tracing::info!(lease = self.settings.name, leader = other, "another replica leads");
                    holder = Some(other);
                }
                Ok(Attempt::HeldBy(_) | Attempt::Contended) => {}
                Err(error) => {
                    tracing::warn!(lease = self.settings.name, namespace = self.settings.namespace, %error, "the lease cannot be acquired; trying again");
                }
            }
            // Spread, so that replicas do not collide each time.
            tokio::time::sleep(self.settings.timing.retry_period.mul_f64(1.0 + 0.2 * rand::random::<f64>())).await;
        }
    }

    /// Renews the lease until it is lost, or released after `finish`.
    async fn lead(
        mut self,
        lease: Box<Lease>,
        guard: WriteGuard,
        ended: CancellationToken,
        finish: CancellationToken,
    ) -> Result<(), LeaseLost> {
        let mut known = Some(lease);
        loop {
            let pause = tokio::time::sleep(self.settings.timing.retry_period);
            if finish.run_until_cancelled(pause).await.is_none() {
                let held = guard.holds();
                guard.revoke();
                if held {
                    self.release(known).await;
                }
                return Ok(());
            }
            if !self.renew(&mut known, &guard).await {
                guard.revoke();
                ended.cancel();
                return Err(LeaseLost);
            }
        }
    }

    /// One attempt to renew. Returns whether this process still leads.
    async fn renew(&mut self, known: &mut Option<Box<Lease>>, guard: &WriteGuard) -> bool {
        if !guard.holds() {
            return false;
        }
        let began = uptime();
        match self.attempt(known.take(), self.settings.timing.renew_deadline.min(guard.remaining())).await {
            Ok(Attempt::Held(lease)) => {
                *known = Some(lease);
                return guard.extend(began + self.settings.timing.renew_deadline, uptime()).is_ok();
            }
            Ok(Attempt::HeldBy(other)) => {
                tracing::error!(leader = other, "another replica took the lease");
                return false;
            }
            Ok(Attempt::Contended) => {}
            Err(error) => {
                tracing::warn!(lease = self.settings.name, %error, "the lease cannot be renewed; trying again");
            }
        }
        guard.holds()
    }

    /// Reads the Lease unless it is `known`, and writes it if that is allowed.
    async fn attempt(&mut self, known: Option<Box<Lease>>, patience: Duration) -> Result<Attempt, ElectionError> {
        tokio::time::timeout(patience, self.attempt_unbounded(known)).await.unwrap_or(Err(ElectionError::Timeout))
    }

    async fn attempt_unbounded(&mut self, known: Option<Box<Lease>>) -> Result<Attempt, ElectionError> {
        let name = &self.settings.name;
        let lease = match known {
            Some(lease) => Some(lease),
            None => self.api.get_opt(name).await?.map(Box::new),
        };
        let spec = match self.candidate.decide(lease.as_deref(), uptime(), Timestamp::now()) {
            Decision::Write(spec) => spec,
            Decision::HeldBy(other) => return Ok(Attempt::HeldBy(other)),
        };
        let params = PostParams::default();
        let written = if let Some(mut lease) = lease {
            lease.spec = spec;
            // The API server keeps the existing ones.
            lease.metadata.managed_fields = None;
            self.api.replace(name, &params, &lease).await
        } else {
            let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
            self.api.create(&params, &Lease { metadata, spec }).await
        };
        match written {
            Ok(lease) => Ok(Attempt::Held(Box::new(lease))),
            // 409: somebody else wrote or created it meanwhile; 404: it was deleted.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(Attempt::Contended),
            Err(error) => Err(error.into()),
        }
    }

    async fn release(&mut self, known: Option<Box<Lease>>) {
        let Some(mut lease) = known else { return };
        lease.spec = Candidate::released(std::mem::take(&mut lease.spec), Timestamp::now());
        lease.metadata.managed_fields = None;
        let params = PostParams::default();
        let call = self.api.replace(&self.settings.name, &params, &lease);
        match tokio::time::timeout(self.settings.timing.retry_period, call).await {
            Ok(Ok(_)) => tracing::info!(lease = self.settings.name, "the lease was released"),
            Ok(Err(error)) => {
                tracing::warn!(error = reason(&error), "the lease could not be released; it expires by itself");
            }
            Err(_) => tracing::warn!("the lease could not be released in time; it expires by itself"),
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum ElectionError {
    #[error("{}", reason(.0))]
    Kube(#[from] kube::Error),
    #[error("the API server did not answer in time")]
    Timeout,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_which_two_could_lead_are_refused() {
        let seconds = Duration::from_secs;
        let timing = |lease, renew, retry| Timing {
            lease_duration: seconds(lease),
            renew_deadline: seconds(renew),
            retry_period: seconds(retry),
        };
        assert_eq!(timing(15, 10, 2).checked(), Ok(Timing::default()));
        assert_eq!(timing(10, 10, 2).checked(), Err(TimingError::LeaseTooShort));
        assert_eq!(timing(15, 10, 9).checked(), Err(TimingError::DeadlineTooShort));
        assert_eq!(timing(15, 10, 0).checked(), Err(TimingError::NoPause));
    }

    #[test]
    fn no_two_processes_have_one_identity() {
        assert_ne!(identity(), identity());
    }
}
