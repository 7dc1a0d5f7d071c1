//! The load once everything is synced.

use std::time::Duration;

use external_secrets::sandbox::SecretPermission;
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

const MINUTE: Duration = Duration::from_mins(1);
/// Time for the work left from the start.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "refresh-30s",
            about: "1,000 ExternalSecrets refreshed every 30 s, by an identity that may only get",
            measure: |command| refresh(command).boxed_local(),
        },
        Row {
            name: "refresh-30s-list",
            about: "the same, by an identity that may also list",
            measure: |command| refresh_with_list(command).boxed_local(),
        },
        Row {
            name: "idle",
            about: "1,000 ExternalSecrets refreshed every hour",
            measure: |command| idle(command).boxed_local(),
        },
    ]
}

/// A minute of a controller with 1,000 ExternalSecrets.
struct Minute {
    cpu: Duration,
    exchanges: u64,
    gets: u64,
    lists: u64,
    memory: u64,
}

async fn minute(
    command: &CommandLine,
    interval: &'static str,
    permissions: &[SecretPermission],
) -> Result<Minute, Error> {
    let wanted = Wanted::each_its_own(1000, interval);
    let stage = Stage::set(permissions).await?;
    stage.fill_vault(&wanted, "value")?;
    stage.create(&wanted).await?;
    let observer = Observer::of_external_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    observer.all(wanted.len(), "True", &controller, Duration::from_mins(5)).await?;
    tokio::time::sleep(SETTLE).await;
    stage.vault.reset_counters();
    stage.application.reset_counters();
    let before = controller.cpu()?;
    tokio::time::sleep(MINUTE).await;
    let counters = stage.vault.counters();
    Ok(Minute {
        cpu: controller.cpu()?.saturating_sub(before),
        exchanges: stage.application.counters().exchanges,
        gets: counters.operation("GetSecret"),
        lists: counters.operation("GetSecrets"),
        memory: controller.peak_memory()?,
    })
}

async fn refresh(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let minute = minute(command, "30s", &[SecretPermission::Get]).await?;
    Ok(vec![
        Figure::seconds(
            "CPU time a minute",
            minute.cpu,
            Beside { tuned: "9.7 s", target: "<= 2 s", ..Beside::default() },
        ),
        Figure::count(
            "token exchanges a minute",
            minute.exchanges,
            Beside { tuned: "2000", target: "0", ..Beside::default() },
        ),
        Figure::count("GETs a minute", minute.gets, Beside { tuned: "2000", ..Beside::default() }),
    ])
}

async fn refresh_with_list(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let minute = minute(command, "30s", &[SecretPermission::Get, SecretPermission::List]).await?;
    Ok(vec![
        Figure::seconds("CPU time a minute", minute.cpu, Beside::default()),
        Figure::count("GETs a minute", minute.gets, Beside { tuned: "2000", ..Beside::default() }),
        Figure::count("pages of lists a minute", minute.lists, Beside { tuned: "0", ..Beside::default() }),
    ])
}

async fn idle(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let minute = minute(command, "1h", &[SecretPermission::Get]).await?;
    Ok(vec![
        Figure::seconds(
            "CPU time a minute",
            minute.cpu,
            Beside { tuned: "1.6 s", target: "<= 0.2 s", ..Beside::default() },
        ),
        Figure::memory("peak memory", minute.memory, Beside::default()),
    ])
}
