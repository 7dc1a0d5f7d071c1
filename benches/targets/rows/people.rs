//! The commands for people, in a large cluster.

use std::time::{Duration, Instant};

use external_secrets::sandbox::SecretPermission;
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

const EXTERNAL_SECRETS: usize = 4000;
const PUSH_SECRETS: usize = 1000;
const LIMIT: Duration = Duration::from_mins(5);
/// Runs of a command, of which the fastest counts.
const RUNS: usize = 3;

pub(super) fn rows() -> Vec<Row> {
    vec![Row {
        name: "people-5000",
        about: "commands in a cluster of 4,000 ExternalSecrets and 1,000 PushSecrets",
        measure: |command| measure(command).boxed_local(),
    }]
}

async fn measure(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let stage = Stage::set(&[SecretPermission::Get, SecretPermission::Set]).await?;
    let wanted: Vec<_> = Wanted::all_one(EXTERNAL_SECRETS);
    stage.fill_vault(&wanted[..1], "value")?;
    stage.create(&wanted).await?;
    stage.create_push_secrets(PUSH_SECRETS, "1h").await?;
    let controller = Controller::start(command, &stage).await?;
    Observer::of_external_secrets(&stage).all(EXTERNAL_SECRETS, "True", &controller, LIMIT).await?;
    Observer::of_push_secrets(&stage).all(PUSH_SECRETS, "True", &controller, LIMIT).await?;
    let of = |target| Beside { target, ..Beside::default() };
    Ok(vec![
        Figure::seconds("doctor", fastest(command, &stage, &["doctor"]).await?, of("<= 2 s")),
        Figure::seconds("get", fastest(command, &stage, &["get", "--not-ready"]).await?, of("<= 2 s")),
        Figure::seconds("get pushsecrets", fastest(command, &stage, &["get", "pushsecrets"]).await?, of("<= 2 s")),
    ])
}

/// The time of the fastest of some runs, whatever it answers.
async fn fastest(command: &CommandLine, stage: &Stage, arguments: &[&str]) -> Result<Duration, Error> {
    let mut fastest = Duration::MAX;
    for _ in 0..RUNS {
        let began = Instant::now();
        tokio::process::Command::new(&command.program).args(arguments).envs(stage.environment()).output().await?;
        fastest = fastest.min(began.elapsed());
    }
    Ok(fastest)
}
