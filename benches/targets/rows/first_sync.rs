//! ExternalSecrets that exist when the controller starts, until all are Ready.

use std::time::Duration;

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

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "first-1000",
            about: "1,000 ExternalSecrets that read one secret each",
            measure: |command| first_1000(command).boxed_local(),
        },
        Row {
            name: "shared-1000",
            about: "1,000 ExternalSecrets that all read one secret",
            measure: |command| shared_1000(command).boxed_local(),
        },
        Row {
            name: "shared-5000",
            about: "5,000 ExternalSecrets that all read one secret",
            measure: |command| shared_5000(command).boxed_local(),
        },
        Row {
            name: "keys-400",
            about: "400 ExternalSecrets that read five secrets each",
            measure: |command| keys_400(command).boxed_local(),
        },
        Row {
            name: "entries-2000",
            about: "2,000 ExternalSecrets of 20 KB: 370 entries each, all of one secret",
            measure: |command| entries_2000(command).boxed_local(),
        },
    ]
}

/// What a first sync took.
struct Synced {
    time: Duration,
    cpu: Duration,
    memory: u64,
    stage: Stage,
}

async fn sync(command: &CommandLine, wanted: &[Wanted]) -> Result<Synced, Error> {
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.fill_vault(wanted, "value")?;
    stage.create(wanted).await?;
    let observer = Observer::of_external_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    let ready = observer.all(wanted.len(), "True", &controller, LIMIT).await?;
    Ok(Synced { time: ready - controller.started, cpu: controller.cpu()?, memory: controller.peak_memory()?, stage })
}

/// The floor for `wanted`, on its own stage.
async fn floor_of(wanted: &[Wanted]) -> Result<Duration, Error> {
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.create(wanted).await?;
    floor::measure(&stage, wanted.len()).await
}

async fn first_1000(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let wanted = Wanted::each_its_own(1000, "1h");
    let floor = floor_of(&wanted).await?;
    let synced = sync(command, &wanted).await?;
    let exchanges = synced.stage.application.counters().exchanges;
    let gets = synced.stage.vault.counters().operation("GetSecret");
    Ok(vec![
        Figure::seconds("time", synced.time, Beside { shipped: "120 s", tuned: "14.6 s", target: "<= 5 s" }),
        Figure::seconds("floor", floor, Beside { shipped: "3.7 s", tuned: "3.7 s", target: "" }),
        Figure::ratio("time / floor", synced.time, floor, Beside { shipped: "32", tuned: "3.9", target: "<= 1.35" }),
        Figure::seconds("CPU time", synced.cpu, Beside { shipped: "12.6 s", tuned: "5.7 s", target: "<= 1.2 s" }),
        Figure::memory(
            "peak memory",
            synced.memory,
            Beside { shipped: "170 MiB", tuned: "182 MiB", target: "<= 30 MiB" },
        ),
        Figure::count("token exchanges", exchanges, Beside { shipped: "1002", tuned: "1002", target: "1" }),
        Figure::count("GETs", gets, Beside { shipped: "1000", tuned: "1000", target: "" }),
    ])
}

async fn shared_1000(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let synced = sync(command, &Wanted::all_one(1000)).await?;
    let gets = synced.stage.vault.counters().secret_reads("s0");
    Ok(vec![Figure::count("GETs", gets, Beside { shipped: "1000", tuned: "1000", target: "<= 5" })])
}

async fn shared_5000(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let wanted = Wanted::all_one(5000);
    let floor = floor_of(&wanted).await?;
    let synced = sync(command, &wanted).await?;
    Ok(vec![
        Figure::seconds("time", synced.time, Beside { tuned: "89 s", target: "<= 25 s", ..Beside::default() }),
        Figure::seconds("floor", floor, Beside { tuned: "18 s", ..Beside::default() }),
        Figure::ratio("time / floor", synced.time, floor, Beside { tuned: "4.9", ..Beside::default() }),
        Figure::memory(
            "peak memory",
            synced.memory,
            Beside { tuned: "296 MiB", target: "<= 60 MiB", ..Beside::default() },
        ),
        Figure::seconds("CPU time", synced.cpu, Beside::default()),
    ])
}

async fn keys_400(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let wanted: Vec<_> = (0..400)
        .map(|n| Wanted {
            name: format!("e{n}"),
            secrets: (0..5).map(|key| format!("s{n}-{key}")).collect(),
            interval: "1h",
        })
        .collect();
    let synced = sync(command, &wanted).await?;
    Ok(vec![Figure::seconds("time", synced.time, Beside { tuned: "7.9 s", target: "<= 2.5 s", ..Beside::default() })])
}

async fn entries_2000(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let wanted: Vec<_> = (0..2000)
        .map(|n| Wanted { name: format!("e{n}"), secrets: vec!["s0".to_owned(); 370], interval: "1h" })
        .collect();
    let synced = sync(command, &wanted).await?;
    Ok(vec![
        Figure::seconds("time", synced.time, Beside::default()),
        Figure::seconds("CPU time", synced.cpu, Beside::default()),
        Figure::memory("peak memory", synced.memory, Beside { target: "<= 100 MiB", ..Beside::default() }),
    ])
}
