//! Writes that the webhook is asked about, at a steady rate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{DynamicObject, PostParams};
use serde_json::json;
use test_stage::cluster_access::Access;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Creates ExternalSecrets as dry runs until ended.
pub struct Load {
    stop: CancellationToken,
    task: JoinHandle<u32>,
    begin: Instant,
    refusals: Arc<Mutex<Vec<Refusal>>>,
}

/// A refused write.
#[derive(Clone)]
pub struct Refusal {
    /// When.
    pub at: Instant,
    pub message: String,
}

impl Load {
    /// Starts this many per second.
    pub fn start(access: &Access, per_second: u32) -> Self {
        let stop = CancellationToken::new();
        let refusals = Arc::<Mutex<Vec<Refusal>>>::default();
        let task = tokio::spawn(send(access.clone(), per_second, stop.clone(), Arc::clone(&refusals)));
        Self { stop, task, begin: Instant::now(), refusals }
    }

    /// Ends it; returns the refusals.
    pub async fn end(self) -> Vec<Refusal> {
        self.stop.cancel();
        let count = self.task.await.unwrap();
        let refusals = self.refusals.lock().unwrap().clone();
        let rate = f64::from(count) / self.begin.elapsed().as_secs_f64();
        println!("{count} writes, {rate:.0} per second, {} refused", refusals.len());
        assert!(count > 0, "nothing was written");
        refusals
    }

    /// Ends it; panics if a write was refused.
    pub async fn end_without_refusal(self) {
        let refusals = self.end().await;
        assert!(refusals.is_empty(), "{} were refused, such as: {}", refusals.len(), refusals[0].message);
    }
}

async fn send(access: Access, per_second: u32, stop: CancellationToken, refusals: Arc<Mutex<Vec<Refusal>>>) -> u32 {
    let api = access.api("ExternalSecret");
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"generateName": "load-"},
        "spec": {
            "secretStoreRef": {"name": "fake", "kind": "ClusterSecretStore"}, "target": {"name": "load"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "greeting"}}],
        },
    }))
    .unwrap();
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut writes = JoinSet::new();
    let mut count = 0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (api, object, trial, refusals) = (api.clone(), object.clone(), trial.clone(), Arc::clone(&refusals));
        writes.spawn(async move {
            if let Err(error) = api.create(&trial, &object).await {
                refusals.lock().unwrap().push(Refusal { at: Instant::now(), message: error.to_string() });
            }
        });
        count += 1;
        while writes.try_join_next().is_some() {}
    }
    writes.join_all().await;
    count
}
