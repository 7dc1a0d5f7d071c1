//! `external-secrets why`, also `explain`: what is wrong with this object?

mod chain;
mod check;
mod events;
mod found;
mod parent;
mod print;
mod push;
mod target;
mod writers;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::person::kind::Kind;
use super::person::outcome::Outcome;
use super::person::overview::Overview;
use super::person::parents::ParentOverview;
use super::person::printing::{Output, note};
use super::person::pushes::PushOverview;
use super::person::{Cluster, ClusterArguments, Error as ClusterError, absent, names, vaults};
use super::preview::AzureIdentity;
use super::{plan, providers};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use check::{Checked, Checker};
use events::Event;
use found::Found;
use parent::Failing;
use print::Explained;

/// Why nothing can be reported.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0:?} names a store: `external-secrets get {0}` shows it")]
    Store(String),
    #[error(transparent)]
    Check(#[from] vaults::Error),
    #[error(transparent)]
    Plan(#[from] plan::error::Error),
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Cluster(error.into())
    }
}

/// Explains why an ExternalSecret or a PushSecret does not work: shows each link of the chain from its manifest to its
/// Secret, or to the vault, in the order of the controller's steps, with the cause and the remedy if one is broken. Of a
/// ClusterExternalSecret or ClusterPushSecret, shows its namespaces and what it made there.
///
/// Reads the object and its stores and, as far as your rights allow, its events, the metadata of its Secret,
/// and the workloads that use that. Asks no vault without --check. Exits with 1 if a link is broken.
#[derive(Args, Debug)]
pub(super) struct WhyArguments {
    /// ExternalSecret: NAME, or es/NAME; PushSecret: ps/NAME; ClusterExternalSecret: ces/NAME; ClusterPushSecret: cps/NAME
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
    let checker = || Checker::new(&cluster, &namespace, arguments.azure_identity, &arguments.providers);
    let checker = arguments.check.then(checker).transpose()?;
    let question = Question { cluster: &cluster, checker, now: Timestamp::now() };
    let answer = match named.kind {
        Kind::ExternalSecret => question.external_secret(&named.key).await?,
        Kind::PushSecret => question.push_secret(&named.key).await?,
        Kind::ClusterExternalSecret => question.cluster_external_secret(&named.key.name).await?,
        Kind::ClusterPushSecret => question.cluster_push_secret(&named.key.name).await?,
        Kind::Store(_) => return Err(Error::Store(arguments.name.clone())),
    };
    let Some(Answer { explained, links, events, checked }) = answer else {
        note(&format!("external-secrets: {}", absent::message(&cluster, &named).await));
        return Ok(ExitCode::FAILURE);
    };
    let fails = links.iter().any(|link| link.outcome == Outcome::Failed);
    arguments.output.print(
        || print::text(&explained, &links, &events, checked.as_ref()),
        || print::document(&explained, &links, &events, checked.as_ref()),
    )?;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is asked, of any kind of object.
struct Question<'a> {
    cluster: &'a Cluster,
    /// With --check.
    checker: Option<Checker<'a>>,
    now: Timestamp,
}

/// What there is to report.
struct Answer {
    explained: Explained,
    links: Vec<Found>,
    events: Vec<Event>,
    checked: Option<Checked>,
}

impl Question<'_> {
    async fn external_secret(&self, key: &ObjectKey) -> Result<Option<Answer>, Error> {
        let Self { cluster, checker, now } = self;
        let Some(object) = cluster.external_secret(key).await? else { return Ok(None) };
        let overview = Overview::of(&object, *now);
        Ok(Some(Answer {
            links: chain::links(cluster, &object, &overview, *now).await,
            events: events::of(cluster, &object.metadata).await,
            checked: match checker {
                Some(checker) => Some(checker.external_secret(&object).await),
                None => None,
            },
            explained: Explained::external_secret(&overview, *now),
        }))
    }

    async fn push_secret(&self, key: &ObjectKey) -> Result<Option<Answer>, Error> {
        let Self { cluster, checker, now } = self;
        let Some(object) = cluster.push_secret(key).await? else { return Ok(None) };
        let overview = PushOverview::of(&object, *now);
        Ok(Some(Answer {
            links: push::links(cluster, &object, &overview, *now).await,
            events: events::of(cluster, &object.metadata).await,
            checked: match checker {
                Some(checker) => Some(checker.push_secret(&object, &overview.stores).await),
                None => None,
            },
            explained: Explained::push_secret(&overview, *now),
        }))
    }

    async fn cluster_external_secret(&self, name: &str) -> Result<Option<Answer>, Error> {
        let Self { cluster, checker, .. } = self;
        let Some(object) = cluster.cluster_external_secret(name).await? else { return Ok(None) };
        let overview = ParentOverview::of_external_secrets(&object);
        let failing = parent::failing_external_secrets(cluster, &overview).await;
        let own = match checker {
            Some(checker) => Some(checker.cluster_external_secret(&object).await?),
            None => None,
        };
        let links = parent::of_external_secrets(&object);
        Ok(Some(self.parent(&object.metadata, &overview, links, &failing, own).await))
    }

    async fn cluster_push_secret(&self, name: &str) -> Result<Option<Answer>, Error> {
        let Self { cluster, checker, .. } = self;
        let Some(object) = cluster.cluster_push_secret(name).await? else { return Ok(None) };
        let overview = ParentOverview::of_push_secrets(&object);
        let failing = parent::failing_push_secrets(cluster, &overview).await;
        let own = match checker {
            Some(checker) => Some(checker.cluster_push_secret(&object).await?),
            None => None,
        };
        let links = parent::of_push_secrets(&object);
        Ok(Some(self.parent(&object.metadata, &overview, links, &failing, own).await))
    }

    /// What there is to report of an object that makes another in each of its namespaces: its own links and check, and
    /// what it made there that fails.
    async fn parent(
        &self,
        meta: &ObjectMeta,
        overview: &ParentOverview,
        mut links: Vec<Found>,
        failing: &Failing,
        own: Option<Checked>,
    ) -> Answer {
        links.extend(parent::links(overview, failing, self.now));
        let checked = match (&self.checker, own) {
            (Some(checker), Some(own)) => Some(checker.whole(own, failing).await),
            _ => None,
        };
        let events = events::of(self.cluster, meta).await;
        Answer { explained: Explained::parent(overview, self.now), links, events, checked }
    }
}
