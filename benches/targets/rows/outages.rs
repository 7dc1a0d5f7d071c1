//! How soon everything works again after an outage.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Fault, SecretPermission};
use futures::FutureExt;

use super::Row;
use crate::controller::{CommandLine, Controller};
use crate::error::Error;
use crate::observer::Observer;
use crate::report::{Beside, Figure};
use crate::stage::{Stage, Wanted};

const LIMIT: Duration = Duration::from_mins(4);
/// AADSTS70021: no matching federated identity record found.
const NOT_FEDERATED: u32 = 70_021;
/// Far shorter than the outages of Entra ID here.
const TOKEN_LIFETIME: Duration = Duration::from_secs(5);

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "start-503",
            about: "300 ExternalSecrets; the vault answers 503 for the first 40 s",
            measure: |command| start_under(command, Outage::Vault).boxed_local(),
        },
        Row {
            name: "start-entra",
            about: "300 ExternalSecrets; Entra ID refuses for the first 40 s",
            measure: |command| start_under(command, Outage::Entra).boxed_local(),
        },
        Row {
            name: "refresh-503",
            about: "200 ExternalSecrets refreshed every 5 s; the vault answers 503 for 20 s",
            measure: |command| refresh_through(command, Outage::Vault).boxed_local(),
        },
        Row {
            name: "refresh-403",
            about: "200 ExternalSecrets refreshed every 5 s; the vault answers 403 for 20 s",
            measure: |command| refresh_through(command, Outage::Access).boxed_local(),
        },
        Row {
            name: "refresh-entra",
            about: "200 ExternalSecrets refreshed every 5 s; Entra ID refuses for 20 s, tokens are short-lived",
            measure: |command| refresh_through(command, Outage::Entra).boxed_local(),
        },
        Row {
            name: "refresh-api-server",
            about: "200 ExternalSecrets refreshed every 5 s; the API server is killed for 6 s",
            measure: |command| refresh_through(command, Outage::ApiServer).boxed_local(),
        },
    ]
}

/// What is down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outage {
    Vault,
    Access,
    Entra,
    ApiServer,
}

impl Outage {
    /// Takes it down for `time`, and returns when it came back.
    async fn play(self, stage: &Stage, time: Duration) -> Result<Instant, Error> {
        match self {
            Self::Vault => {
                let fault = stage.vault.fault(Fault::status(503));
                tokio::time::sleep(time).await;
                stage.vault.lift(fault);
            }
            Self::Access => {
                stage.vault.revoke(&stage.application);
                tokio::time::sleep(time).await;
                stage.vault.allow(&stage.application, SecretPermission::Get);
            }
            Self::Entra => {
                let fault = stage.application.fault(Fault::refuse(NOT_FEDERATED));
                tokio::time::sleep(time).await;
                stage.application.lift(fault);
            }
            Self::ApiServer => {
                stage.cluster.kill_api_server().await?;
                tokio::time::sleep(time).await;
                stage.cluster.start_api_server().await?;
            }
        }
        Ok(Instant::now())
    }

    const fn beside_refresh(self) -> Beside {
        let tuned = match self {
            Self::Vault => "13 s",
            Self::Access | Self::Entra => "20 s",
            Self::ApiServer => "19 s",
        };
        Beside { shipped: "", tuned, target: "<= 6 s" }
    }
}

/// The controller starts during an outage.
async fn start_under(command: &CommandLine, outage: Outage) -> Result<Vec<Figure>, Error> {
    let wanted = Wanted::each_its_own(300, "1h");
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.fill_vault(&wanted, "value")?;
    stage.create(&wanted).await?;
    let observer = Observer::of_external_secrets(&stage);
    let time = Duration::from_secs(40);
    let (controller, returned) = tokio::try_join!(Controller::start(command, &stage), outage.play(&stage, time))?;
    let ready = observer.all(wanted.len(), "True", &controller, LIMIT).await?;
    let beside = match outage {
        Outage::Entra => Beside { tuned: "58 s", target: "<= 15 s", ..Beside::default() },
        _ => Beside { tuned: "55 s", target: "<= 8 s", ..Beside::default() },
    };
    Ok(vec![Figure::seconds("all Ready after the return", ready - returned, beside)])
}

/// An outage during refreshes, while the values change.
async fn refresh_through(command: &CommandLine, outage: Outage) -> Result<Vec<Figure>, Error> {
    let wanted = Wanted::each_its_own(200, "5s");
    let stage = Stage::set(&[SecretPermission::Get]).await?;
    stage.fill_vault(&wanted, "before")?;
    if outage == Outage::Entra {
        // A token fetched earlier would hide the outage.
        stage.sandbox.default_tenant().set_token_lifetime(TOKEN_LIFETIME);
    }
    stage.create(&wanted).await?;
    let observer = Observer::of_secrets(&stage);
    let controller = Controller::start(command, &stage).await?;
    observer.all(wanted.len(), "before", &controller, LIMIT).await?;
    let time = Duration::from_secs(if outage == Outage::ApiServer { 6 } else { 20 });
    let change = async {
        tokio::time::sleep(time / 2).await;
        stage.fill_vault(&wanted, "after")
    };
    let (returned, ()) = tokio::try_join!(outage.play(&stage, time), change)?;
    let equal = observer.all(wanted.len(), "after", &controller, LIMIT).await?;
    let late = equal.saturating_duration_since(returned);
    Ok(vec![Figure::seconds("all equal the vault after the return", late, outage.beside_refresh())])
}
