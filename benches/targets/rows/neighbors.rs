//! A neighbor of a tenant that tries to stop, flood or slow everyone else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use external_secrets::sandbox::SecretPermission;
use futures::FutureExt;
use kube::Api;
use test_stage::cluster_access::busiest_object;
use test_stage::neighbors::{self, Flood, Ground};

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

/// How many new ExternalSecrets are measured, one after another.
const FRESH: usize = 10;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_secs(1);
/// The flood's head start before the neighbor is measured.
const HEAD_START: Duration = Duration::from_secs(3);
/// Anything slower counts as failed.
const LIMIT: Duration = Duration::from_secs(40);
/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn rows() -> Vec<Row> {
    vec![Row {
        name: "neighbors",
        about: "a fresh ExternalSecret beside each flood of tests/stage/src/neighbors/floods.yaml: the slowest of 10 within 10 s, the first after a \
                restart of the controller, the slowest answer of the probe, peak memory, and the most Events of one object in a minute",
        measure: |command| measured(command).boxed_local(),
    }]
}

async fn measured(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let mut figures = Vec::new();
    let only = std::env::var("FLOOD").ok();
    for flood in neighbors::all()? {
        if only.as_ref().is_some_and(|only| !flood.name.contains(only.as_str())) {
            continue;
        }
        let measured = match beside(&flood, command).await {
            Ok(measured) => measured.to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let beside = Beside { target: "1 s; 1 s; 1 s; 100 MiB; 30", ..Beside::default() };
        figures.push(Figure::text(flood.name.as_str(), measured, beside));
    }
    Ok(figures)
}

/// What a neighbor noticed.
struct Measured {
    fresh: Duration,
    after_restart: Duration,
    probe: Duration,
    memory: u64,
    events: u64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |time: Duration| time.as_secs_f64();
        let (fresh, restart, probe) = (seconds(self.fresh), seconds(self.after_restart), seconds(self.probe));
        let mebibytes = self.memory >> 20;
        write!(f, "{fresh:.2} s; {restart:.2} s; {probe:.2} s; {mebibytes} MiB; {}", self.events)
    }
}

/// Measures the neighbor next to one flood, in a cluster without any other.
async fn beside(flood: &Flood, command: &CommandLine) -> Result<Measured, Error> {
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    let wanted = Wanted::each_its_own(FRESH + 2, "1h");
    stage.fill_vault(&wanted, "value")?;
    let port = free_port()?;
    let command = command.with_flag("--live-addr", &format!("127.0.0.1:{port}"));
    let observer = Observer::of_secrets(&stage);
    let controller = Controller::start(&command, &stage).await?;
    let probe = Probe::start(port);
    // First the store is validated and one ExternalSecret synced.
    stage.create(&wanted[..1]).await?;
    observer.all(1, "value", &controller, LIMIT).await?;

    let ground = Ground {
        client: &stage.client,
        sandbox: &stage.sandbox,
        issuer: stage.cluster.issuer_url(),
        neighbors_vault: stage.vault.url(),
    };
    let began = Instant::now();
    let placed = flood.place(&ground).await?;
    for refusal in &placed.refused {
        let shown: String = refusal.chars().take(200).collect();
        eprintln!("bench: {}: refused: {shown}", flood.name);
    }
    tokio::time::sleep(HEAD_START).await;
    let mut fresh = Duration::ZERO;
    for number in 1..=FRESH {
        tokio::time::sleep(PAUSE).await;
        let created = Instant::now();
        stage.create(&wanted[number..=number]).await?;
        fresh = fresh.max(observer.all(number + 1, "value", &controller, LIMIT).await? - created);
    }
    for (outcome, count) in neighbors::outcomes(&stage.client, &flood.name).await? {
        let shown: String = outcome.chars().take(200).collect();
        eprintln!("bench: {}: {count} x {shown}", flood.name);
    }
    let events = most_events(&stage, flood, began.elapsed()).await?;
    let (memory, slowest) = (controller.peak_memory()?, probe.slowest());
    drop(probe);
    controller.kill().await?;
    let again = Controller::start(&command, &stage).await?;
    stage.create(&wanted[FRESH + 1..]).await?;
    let after_restart = observer.all(FRESH + 2, "value", &again, LIMIT).await? - again.started;
    let memory = memory.max(again.peak_memory()?);
    again.kill().await?;
    drop(placed);
    Ok(Measured { fresh, after_restart, probe: slowest, memory, events })
}

/// The most Events per minute that one object of the tenant has.
async fn most_events(stage: &Stage, flood: &Flood, passed: Duration) -> Result<u64, Error> {
    let busiest = busiest_object(&Api::namespaced(stage.client.clone(), &flood.name)).await?;
    let minutes = passed.as_secs() / 60 + 1;
    Ok(busiest.map_or(0, |(_, count)| count) / minutes)
}

fn free_port() -> Result<u16, Error> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Calls the liveness probe again and again.
struct Probe {
    slowest: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Probe {
    fn start(port: u16) -> Self {
        let slowest = Arc::new(AtomicU64::new(0));
        let longest = Arc::clone(&slowest);
        let task = tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default();
            let url = format!("http://127.0.0.1:{port}/healthz");
            let mut answers = false;
            loop {
                let asked = Instant::now();
                let answered = client.get(&url).timeout(LIMIT).send().await.is_ok();
                // Nothing to measure before it listens.
                answers |= answered;
                if answers {
                    let took = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
                    longest.fetch_max(took, Ordering::Relaxed);
                }
                tokio::time::sleep(PROBE_PAUSE).await;
            }
        });
        Self { slowest, task }
    }

    fn slowest(&self) -> Duration {
        Duration::from_millis(self.slowest.load(Ordering::Relaxed))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
