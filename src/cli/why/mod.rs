//! `external-secrets why`, also `explain`: what is wrong with this ExternalSecret, or this PushSecret?

mod chain;
mod check;
mod events;
mod found;
mod print;
mod push;
mod target;
mod writers;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::person::kind::Kind;
use super::person::names::{self, Named};
use super::person::outcome::Outcome;
use super::person::overview::Overview;
use super::person::printing::{Output, note};
use super::person::pushes::PushOverview;
use super::person::{Cluster, ClusterArguments, Error as ClusterError, absent, vaults};
use super::preview::AzureIdentity;
use super::providers;
use chain::links;
use print::Explained;

/// Why nothing can be reported.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0:?} names a store: `external-secrets get {0}` shows it")]
    Store(String),
    #[error("{0:?} makes objects in namespaces: `external-secrets get {0}` shows it, and `why` explains what it makes")]
    Parent(String),
    #[error("--check tries ExternalSecrets; `external-secrets plan` shows what a PushSecret would do")]
    PushNotChecked,
    #[error(transparent)]
    Check(#[from] vaults::Error),
}

/// Explains why an ExternalSecret or a PushSecret does not work: shows each link of the chain from its manifest to its
/// Secret, or to the vault, in the order of the controller's steps, with the cause and the remedy if one is broken.
///
/// Reads the object and its stores and, as far as your rights allow, its events, the metadata of its Secret,
/// and the workloads that use that. Asks no vault without --check. Exits with 1 if a link is broken.
#[derive(Args, Debug)]
pub(super) struct WhyArguments {
    /// ExternalSecret: NAME, or es/NAME; PushSecret: ps/NAME
    #[arg(value_name = "NAME")]
    name: String,
    /// Try it now with your rights, and report whether the cause is gone
    #[arg(long)]
    check: bool,
    /// With --check, the identity that reads vaults: that of each store, or yours
    #[arg(long, value_enum, default_value_t = AzureIdentity::Store)]
    azure_identity: AzureIdentity,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    providers: providers::ProviderArguments,
}

pub(super) async fn execute(arguments: &WhyArguments) -> Result<ExitCode, Error> {
    let (cluster, namespace) = arguments.cluster.cluster().await?;
    let named = names::named(&arguments.name, &namespace).map_err(ClusterError::from)?;
    match named.kind {
        Kind::ExternalSecret => {}
        Kind::PushSecret => return of_push_secret(arguments, &cluster, &named).await,
        Kind::ClusterExternalSecret | Kind::ClusterPushSecret => return Err(Error::Parent(arguments.name.clone())),
        Kind::Store(_) => return Err(Error::Store(arguments.name.clone())),
    }
    let Some(object) = cluster.external_secret(&named.key).await.map_err(ClusterError::from)? else {
        return Ok(absent(&cluster, &named).await);
    };
    let now = Timestamp::now();
    let overview = Overview::of(&object, now);
    let links = links(&cluster, &object, &overview, now).await;
    let events = events::of(&cluster, &object.metadata).await;
    let checked = if arguments.check {
        Some(check::check(&cluster, &object, arguments.azure_identity, &arguments.providers, &namespace).await?)
    } else {
        None
    };
    let fails = links.iter().any(|link| link.outcome == Outcome::Failed);
    let explained = Explained::external_secret(&overview, now);
    arguments.output.print(
        || print::text(&explained, &links, &events, checked.as_ref()),
        || print::document(&explained, &links, &events, checked.as_ref()),
    )?;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says that an object does not exist.
async fn absent(cluster: &Cluster, named: &Named) -> ExitCode {
    note(&format!("external-secrets: {}", absent::message(cluster, named).await));
    ExitCode::FAILURE
}

async fn of_push_secret(arguments: &WhyArguments, cluster: &Cluster, named: &Named) -> Result<ExitCode, Error> {
    if arguments.check {
        return Err(Error::PushNotChecked);
    }
    let Some(object) = cluster.push_secret(&named.key).await.map_err(ClusterError::from)? else {
        return Ok(absent(cluster, named).await);
    };
    let now = Timestamp::now();
    let overview = PushOverview::of(&object, now);
    let links = push::links(cluster, &object, &overview, now).await;
    let events = events::of(cluster, &object.metadata).await;
    let fails = links.iter().any(|link| link.outcome == Outcome::Failed);
    let explained = Explained::push_secret(&overview, now);
    arguments.output.print(
        || print::text(&explained, &links, &events, None),
        || print::document(&explained, &links, &events, None),
    )?;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
