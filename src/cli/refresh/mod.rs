//! `external-secrets refresh`: read the values again, and report the result.

mod ask;
mod outcome;
mod print;
mod progress;
mod wait;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use jiff::Timestamp;

use super::person::names::{self, Named};
use super::person::overview::Overview;
use super::person::printing::Output;
use super::person::{Cluster, ClusterArguments, Error as ClusterError};
use crate::api::GoDuration;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::RefreshPolicy;
use crate::controller::store_access::key::StoreKey;
use outcome::{Outcome, name_of};
use progress::Progress;

/// How many may be refreshed without confirmation. Each may cause a read, and a vault serves 4,000 of them in 10 s.
const MANY: usize = 100;
/// The exit code if waiting timed out.
const WAITED_IN_VAIN: u8 = 3;

/// Why nothing was refreshed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0} ExternalSecrets would be read again, each from its vault; pass --yes if that is intended")]
    Many(usize),
    #[error(
        "{0:?} is no ExternalSecret and no store; a PushSecret is pushed again when its annotation force-sync changes: kubectl annotate pushsecret NAME force-sync=$(date +%s) --overwrite"
    )]
    Push(String),
}

impl From<names::Error> for Error {
    fn from(error: names::Error) -> Self {
        Self::Cluster(error.into())
    }
}

/// Asks the controller to read values again. With --wait, reports each result.
///
/// Writes the annotation force-sync, with your rights. ExternalSecrets that are synced only once are skipped, because the
/// controller does not read their values again. A store that is named is validated again.
///
/// Exits with 1 if a refresh failed, and with 3 if --timeout expired first.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that is true or false")]
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").required(true).args(["names", "selector", "all"])))]
pub(super) struct RefreshArguments {
    /// Only these: NAME or es/NAME for ExternalSecrets, store/NAME, css/NAME
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// ExternalSecrets with these labels
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// All ExternalSecrets in the namespace
    #[arg(long)]
    all: bool,
    /// With --selector or --all: in all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names"])]
    all_namespaces: bool,
    /// With --selector or --all: only those that read this store, store/NAME or css/NAME
    #[arg(long, value_name = "KIND/NAME", conflicts_with = "names")]
    store: Option<String>,
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
    let (cluster, namespace) = arguments.cluster.cluster().await.map_err(Error::Cluster)?;
    let mut outcomes = BTreeMap::new();
    let (objects, stores) = chosen(arguments, &cluster, &namespace, &mut outcomes).await?;
    if objects.len() > MANY && !arguments.yes {
        return Err(Error::Many(objects.len()));
    }
    let (once, objects): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_created_once);
    for object in &once {
        let why = "refreshPolicy CreatedOnce: the controller does not read it again";
        outcomes.insert(name_of(object), Outcome::skipped(why));
    }
    let timeout = arguments.timeout.positive().unwrap_or(Duration::from_mins(2));
    let began = Instant::now();
    let token = ask::token(Timestamp::now());
    if arguments.wait {
        let progress = Progress { began, is_terminal: std::io::stderr().is_terminal() };
        wait::refreshed(&cluster, objects, &token, began + timeout, &progress, &mut outcomes).await;
        wait::validated(&cluster, &stores, &token, began + timeout, &mut outcomes).await;
        progress.end();
    } else {
        ask::all(&cluster, &objects, &stores, &token, &mut outcomes).await;
    }
    arguments.output.print(|| print::text(&outcomes), || print::document(&outcomes)).map_err(Error::Cluster)?;
    let any = |wanted: fn(&Outcome) -> bool| outcomes.values().any(wanted);
    Ok(if any(Outcome::is_failed) {
        ExitCode::FAILURE
    } else if any(Outcome::is_in_vain) {
        ExitCode::from(WAITED_IN_VAIN)
    } else {
        ExitCode::SUCCESS
    })
}

/// The selected ExternalSecrets and stores. One that is named and does not exist counts as failed.
async fn chosen(
    arguments: &RefreshArguments,
    cluster: &Cluster,
    namespace: &str,
    outcomes: &mut BTreeMap<String, Outcome>,
) -> Result<(Vec<ExternalSecret>, Vec<StoreKey>), Error> {
    let (mut objects, mut stores) = (Vec::new(), Vec::new());
    if arguments.names.is_empty() {
        let scope = (!arguments.all_namespaces).then_some(namespace);
        objects = cluster
            .external_secrets(scope, arguments.selector.as_deref())
            .await
            .map_err(|error| Error::Cluster(error.into()))?;
        if let Some(store) = arguments.store.as_deref() {
            let wanted = names::store(store, namespace)?;
            let now = Timestamp::now();
            objects.retain(|object| {
                let stores = Overview::of(object, now).stores;
                stores.iter().any(|store| store.kind == wanted.kind && store.object.name == wanted.object.name)
            });
        }
        return Ok((objects, stores));
    }
    for name in &arguments.names {
        match names::named(name, namespace)? {
            Named::Store(key) => stores.push(key),
            Named::PushSecret(_) | Named::ClusterPushSecret(_) => return Err(Error::Push(name.clone())),
            Named::ExternalSecret(key) => {
                match cluster.external_secret(&key).await.map_err(|error| Error::Cluster(error.into()))? {
                    Some(object) => objects.push(object),
                    None => {
                        outcomes.insert(key.to_string(), Outcome::failed("it does not exist"));
                    }
                }
            }
        }
    }
    Ok((objects, stores))
}

fn is_created_once(object: &ExternalSecret) -> bool {
    let policy = object.spec.get().ok().and_then(|spec| spec.refresh_policy);
    let was_synced = object.status.as_ref().is_some_and(|status| status.refresh_time.is_some());
    policy == Some(RefreshPolicy::CreatedOnce) && was_synced
}
