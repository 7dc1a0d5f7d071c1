//! A ClusterExternalSecret for many namespaces.

use std::time::{Duration, Instant};

use external_secrets::sandbox::SecretPermission;
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::floor;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

const LIMIT: Duration = Duration::from_mins(5);
/// How often the ExternalSecrets of `ces-200` are refreshed.
const INTERVAL: Duration = Duration::from_secs(40);
/// The number of intervals over which reads are counted.
const INTERVALS: u32 = 3;
/// How long the status may take to catch up.
const SETTLE: Duration = Duration::from_secs(20);

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "ces-200",
            about: "a ClusterExternalSecret for 200 namespaces, which reads one secret every 40 s",
            measure: |command| refreshed(command).boxed_local(),
        },
        Row {
            name: "ces-1000",
            about: "a ClusterExternalSecret for 1,000 namespaces, until each has its Secret",
            measure: |command| provisioned(command).boxed_local(),
        },
    ]
}

/// A stage with a ClusterExternalSecret for this many namespaces, whose ExternalSecrets are all Ready.
struct Provisioned {
    stage: Stage,
    controller: Controller,
    /// From the creation of the ClusterExternalSecret.
    time: Duration,
    parents: Observer,
}

async fn provision(command: &CommandLine, count: usize, interval: Duration) -> Result<Provisioned, Error> {
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.set_secret("s0", "value")?;
    stage.create_namespaces(count).await?;
    let children = Observer::of_external_secrets(&stage);
    let parents = Observer::of_cluster_external_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    // The controller is up when it has synced an ExternalSecret of its own.
    stage.create(&[Wanted { name: "own".to_owned(), secrets: vec!["s0".to_owned()], interval: "1h" }]).await?;
    children.all(1, "True", &controller, LIMIT).await?;
    let started = Instant::now();
    stage.create_cluster_external_secret("s0", interval).await?;
    let ready = children.all(count + 1, "True", &controller, LIMIT).await?;
    Ok(Provisioned { time: ready - started, stage, controller, parents })
}

async fn refreshed(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let Provisioned { stage, controller, .. } = provision(command, 200, INTERVAL).await?;
    let before = controller.cpu()?;
    stage.vault.reset_counters();
    tokio::time::sleep(INTERVAL * INTERVALS).await;
    let gets = stage.vault.counters().secret_reads("s0").div_ceil(u64::from(INTERVALS));
    Ok(vec![
        Figure::count("GETs an interval", gets, Beside { tuned: "200", target: "<= 20", ..Beside::default() }),
        Figure::seconds(
            "CPU time an interval",
            controller.cpu()?.saturating_sub(before) / INTERVALS,
            Beside::default(),
        ),
    ])
}

async fn provisioned(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    const COUNT: usize = 1000;
    let floor = {
        let stage = Stage::set(&[SecretPermission::Get]).await?;
        stage.create_namespaces(COUNT).await?;
        floor::measure_in_namespaces(&stage, COUNT).await?
    };
    let Provisioned { controller, time, parents, stage: _stage } =
        provision(command, COUNT, Duration::from_hours(1)).await?;
    let cpu = controller.cpu()?;
    tokio::time::sleep(SETTLE).await;
    // The first event is its creation.
    let patches = parents.events().saturating_sub(1);
    Ok(vec![
        Figure::seconds("time", time, Beside::default()),
        Figure::seconds("floor", floor, Beside::default()),
        Figure::ratio("time / floor", time, floor, Beside { target: "<= 1.35", ..Beside::default() }),
        Figure::count("status patches", patches, Beside { target: "<= 10", ..Beside::default() }),
        Figure::seconds("CPU time", cpu, Beside::default()),
        Figure::memory("peak memory", controller.peak_memory()?, Beside::default()),
    ])
}
