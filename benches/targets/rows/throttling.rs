//! A vault that serves fewer requests than the controller has to send.

use std::time::Duration;

use external_secrets::sandbox::{Limit, SecretPermission};
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

pub(super) fn rows() -> Vec<Row> {
    vec![Row {
        name: "throttled",
        about: "1,000 ExternalSecrets, and a vault that serves 300 requests in any 10 s",
        measure: |command| throttled(command).boxed_local(),
    }]
}

async fn throttled(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let wanted = Wanted::each_its_own(1000, "1h");
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.fill_vault(&wanted, "value")?;
    stage.create(&wanted).await?;
    stage.vault.set_limit(Some(Limit::per_ten_seconds(300)));
    let observer = Observer::of_external_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    let ready = observer.all(wanted.len(), "True", &controller, Duration::from_mins(5)).await?;
    let refused = stage.vault.counters().throttled;
    Ok(vec![
        Figure::count("refused (429)", refused, Beside { tuned: "500", target: "<= 50", ..Beside::default() }),
        Figure::seconds(
            "time (30 s is the least)",
            ready - controller.started,
            Beside { tuned: "36 s", target: "<= 33 s", ..Beside::default() },
        ),
    ])
}
