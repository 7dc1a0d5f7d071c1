//! PushSecrets: until the vault has everything, and the load after that.

use std::time::Duration;

use external_secrets::sandbox::{Limit, SecretPermission};
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::Stage;

const COUNT: usize = 1000;
const MINUTE: Duration = Duration::from_mins(1);
/// Time for the work left from the start.
const SETTLE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_mins(5);
/// Reads of the two stores, which find out whether they can be used.
const PROBES: u64 = 2;
/// Azure's limit of new versions per vault in 10 s.
const WRITES: usize = 300;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "push-1000",
            about: "1,000 PushSecrets of one namespace, each with a secret that is new in the vault; at most 233 of the 240 writes per 10 s are for one namespace, so 40 s is the least",
            measure: |command| first(command).boxed_local(),
        },
        Row {
            name: "push-refresh-1m",
            about: "1,000 PushSecrets refreshed every minute, with nothing to write",
            measure: |command| refresh(command).boxed_local(),
        },
        Row {
            name: "push-restart",
            about: "1,000 PushSecrets that are pushed, and the first 20 s of another controller",
            measure: |command| restart(command).boxed_local(),
        },
    ]
}

/// All that is to be pushed has been.
struct Pushed {
    time: Duration,
    controller: Controller,
    stage: Stage,
}

async fn push(command: &CommandLine, interval: &str) -> Result<Pushed, Error> {
    let stage = Stage::set(&[SecretPermission::Get, SecretPermission::Set]).await?;
    stage.vault.set_limit_of_writes(Some(Limit::per_ten_seconds(WRITES)));
    stage.create_push_secrets(COUNT, interval).await?;
    let observer = Observer::of_push_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    let ready = observer.all(COUNT, "True", &controller, LIMIT).await?;
    Ok(Pushed { time: ready - controller.started, controller, stage })
}

async fn first(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let Pushed { time, controller, stage } = push(command, "1h").await?;
    let counters = stage.vault.counters();
    let of = |target| Beside { target, ..Beside::default() };
    Ok(vec![
        Figure::seconds("time", time, of("<= 42 s")),
        Figure::count("GETs", counters.operation("GetSecret"), of("")),
        Figure::count("PUTs", counters.operation("SetSecret"), of("1000")),
        Figure::count("refused (429)", counters.throttled, of("0")),
        Figure::seconds("CPU time", controller.cpu()?, of("")),
        Figure::memory("peak memory", controller.peak_memory()?, of("")),
    ])
}

async fn restart(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let Pushed { controller, stage, .. } = push(command, "1h").await?;
    tokio::time::sleep(SETTLE).await;
    controller.kill().await?;
    stage.vault.reset_counters();
    let observer = Observer::of_push_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    observer.all(COUNT, "True", &controller, LIMIT).await?;
    tokio::time::sleep(4 * SETTLE).await;
    let counters = stage.vault.counters();
    let written = observer.events().saturating_sub(COUNT as u64);
    let of = |target| Beside { target, ..Beside::default() };
    Ok(vec![
        Figure::count("reads of what was pushed", counters.operation("GetSecret").saturating_sub(PROBES), of("0")),
        Figure::count("PUTs", counters.operation("SetSecret"), of("0")),
        Figure::count("statuses written", written, of("0")),
        Figure::seconds("CPU time", controller.cpu()?, of("")),
    ])
}

async fn refresh(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let Pushed { controller, stage, .. } = push(command, "1m").await?;
    tokio::time::sleep(SETTLE).await;
    stage.vault.reset_counters();
    let before = controller.cpu()?;
    tokio::time::sleep(MINUTE).await;
    let counters = stage.vault.counters();
    let of = |target| Beside { target, ..Beside::default() };
    Ok(vec![
        Figure::count("GETs a minute", counters.operation("GetSecret"), of("")),
        Figure::count("PUTs a minute", counters.operation("SetSecret"), of("0")),
        Figure::seconds("CPU time a minute", controller.cpu()?.saturating_sub(before), of("")),
    ])
}
