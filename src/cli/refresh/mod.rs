//! `external-secrets refresh`: read or push the values again, and report the result.

mod ask;
mod batch;
mod chosen;
mod error;
mod kinds;
mod outcome;
mod print;
mod progress;
mod secrets;
mod wait;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::person::printing::{Output, note};
use super::person::{Cluster, ClusterArguments};
use crate::api::GoDuration;
use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::READY;
use crate::controller::core::conditions;
use chosen::{ChoiceArguments, Chosen};
use outcome::{Outcome, Outcomes};
use progress::Progress;
use wait::Wait;

pub(super) use error::Error;

/// How many may be refreshed without confirmation. Each may cause a read, and a vault serves 4,000 of them in 10 s.
const MANY: usize = 100;
/// The exit code if waiting timed out.
const WAITED_IN_VAIN: u8 = 3;

/// Asks the controller to read values again, or to push them again. With --wait, reports each result.
///
/// Writes the annotation force-sync, with your rights. A PushSecret compares the vault again and writes what differs; a
/// store is validated again; a ClusterExternalSecret or ClusterPushSecret compares its namespaces again, and what it made
/// there is refreshed, too. ExternalSecrets that are synced only once are skipped, because the controller does not read
/// their values again.
///
/// Exits with 1 if a refresh failed, and with 3 if --timeout expired first.
#[derive(Args, Debug)]
pub(super) struct RefreshArguments {
    #[command(flatten)]
    choice: ChoiceArguments,
    /// Wait until the controller has answered, and report the result
    #[arg(short, long)]
    wait: bool,
    /// How long to wait
    #[arg(long, default_value = "2m", requires = "wait")]
    timeout: GoDuration,
    /// Confirm the refresh of more than 100
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
}

pub(super) async fn execute(arguments: &RefreshArguments) -> Result<ExitCode, Error> {
    let (cluster, namespace) = arguments.cluster.cluster().await?;
    let mut chosen = Chosen::of(&arguments.choice, &cluster, &namespace).await?;
    if chosen.len() > MANY && !arguments.yes {
        return Err(Error::Many(chosen.len()));
    }
    let mut outcomes = std::mem::take(&mut chosen.outcomes);
    outcomes.extend(if arguments.wait {
        let timeout = arguments.timeout.positive().unwrap_or(Duration::from_mins(2));
        // A future for each kind is large.
        Box::pin(waited(&cluster, &chosen, timeout)).await
    } else {
        asked(&cluster, &chosen).await
    });
    arguments.output.print(|| print::text(&outcomes), || print::document(&outcomes))?;
    let any = |wanted: fn(&Outcome) -> bool| outcomes.values().any(wanted);
    Ok(if any(Outcome::is_failed) {
        ExitCode::FAILURE
    } else if any(Outcome::is_in_vain) {
        ExitCode::from(WAITED_IN_VAIN)
    } else {
        ExitCode::SUCCESS
    })
}

/// Requests the refreshes.
async fn asked(cluster: &Cluster, chosen: &Chosen) -> Outcomes {
    let (client, token) = (&cluster.client, ask::token(Timestamp::now()));
    let mut outcomes = ask::all(client, &chosen.cluster_external_secrets, &token).await;
    outcomes.extend(ask::all(client, &chosen.cluster_push_secrets, &token).await);
    outcomes.extend(ask::all(client, &chosen.external_secrets, &token).await);
    outcomes.extend(ask::all(client, &chosen.push_secrets, &token).await);
    outcomes.extend(ask::all(client, &chosen.secret_stores, &token).await);
    outcomes.extend(ask::all(client, &chosen.cluster_secret_stores, &token).await);
    outcomes
}

/// Requests the refreshes, and waits for the results.
async fn waited(cluster: &Cluster, chosen: &Chosen, timeout: Duration) -> Outcomes {
    say_which_stores_are_not_ready(cluster, chosen).await;
    let (began, token) = (Instant::now(), ask::token(Timestamp::now()));
    let wait = Wait { client: &cluster.client, token: &token, began, deadline: began + timeout };
    let (sender, mut results) = mpsc::unbounded_channel();
    let answers = async move {
        tokio::join!(
            wait.answers(&chosen.external_secrets, &sender),
            wait.answers(&chosen.cluster_external_secrets, &sender),
            wait.answers(&chosen.push_secrets, &sender),
            wait.answers(&chosen.cluster_push_secrets, &sender),
            wait.answers(&chosen.secret_stores, &sender),
            wait.answers(&chosen.cluster_secret_stores, &sender),
        );
    };
    let mut progress = Progress::new(began, std::io::stderr().is_terminal(), chosen.len());
    let collected = async {
        while let Some((named, outcome)) = results.recv().await {
            progress.ended(named, outcome);
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(answers, collected) } => {}
        () = wait::say_if_nobody_leads(&cluster.client) => {}
    }
    progress.end();
    progress.outcomes
}

/// Reports stores that are not Ready: until somebody fixes the store, what depends on it is not refreshed.
async fn say_which_stores_are_not_ready(cluster: &Cluster, chosen: &Chosen) {
    for key in chosen.stores() {
        let Ok(Some(store)) = cluster.store(&key).await else { continue };
        let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        if conditions::find(conditions, READY).is_some_and(|ready| ready.status == ConditionStatus::False) {
            note(&format!("external-secrets: {key} is not Ready, so what depends on it is not refreshed"));
        }
    }
}
