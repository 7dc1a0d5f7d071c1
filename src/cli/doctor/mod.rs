//! `external-secrets doctor`: does everything work here?

mod before;
mod bounded;
mod controller;
mod definitions;
mod federation;
mod finding;
mod format;
mod network_policy;
mod objects;
mod one_controller;
mod patient;
mod print;
mod probe;
mod pushes;
mod server;
mod stores;
mod webhook;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::person::outcome::Outcome;
use super::person::printing::note;
use super::person::{Cluster, ClusterArguments, Error as ClusterError, served_version};
use super::person::{names, vaults};
use super::preview::AzureIdentity;
use super::providers;
use crate::api::GoDuration;
use bounded::bounded;
use finding::Finding;
use format::{ReportFormat, ReportOutput};
use patient::Patient;

/// The pause between two runs with --wait.
const PAUSE: Duration = Duration::from_secs(2);
/// The exit code if waiting timed out.
const WAITED_IN_VAIN: u8 = 3;

/// Why the checks cannot run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Probe(#[from] vaults::Error),
}

/// Checks everything that a sync needs: the API server, the CRDs, the controller, its rights, the webhook, the stores,
/// the ExternalSecrets and the PushSecrets. For each failed check, prints how to fix it.
///
/// Looks in all namespaces, or only in that of --namespace.
///
/// Changes nothing: it reads with your rights, asks the API server for access reviews, and creates one ExternalSecret
/// as a dry run, to see that the webhook rejects it. What you may not read is skipped. No Secret is read.
///
/// Exits with 1 if a check failed, and with 3 if --wait timed out.
#[derive(Args, Debug)]
pub(super) struct DoctorArguments {
    /// Before an installation: check whether the cluster and your rights are sufficient
    #[arg(long, conflicts_with_all = ["store", "probe"])]
    pre: bool,
    /// Check only this store and what reads it: store/NAME, or css/NAME
    #[arg(long, value_name = "KIND/NAME")]
    store: Option<String>,
    /// Also ask Entra ID and the vaults from here; that proves nothing about the controller's network
    #[arg(long)]
    probe: bool,
    /// With --probe, the identity that reads vaults: that of each store, or yours
    #[arg(long, value_enum, default_value_t = AzureIdentity::Store)]
    azure_identity: AzureIdentity,
    /// Repeat until no check fails, for at most this long
    #[arg(long, value_name = "DURATION")]
    wait: Option<GoDuration>,
    /// Class of the controller
    #[arg(long, default_value = "default")]
    controller_class: String,
    /// What makes the command fail
    #[arg(long, value_enum, default_value_t = FailOn::Failure)]
    fail_on: FailOn,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    providers: providers::ProviderArguments,
}

/// What makes the command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// If a check failed
    Failure,
    /// Also if there are warnings
    Warning,
}

pub(super) async fn execute(arguments: &DoctorArguments) -> Result<ExitCode, Error> {
    let (client, namespace) = arguments.cluster.connect().await.map_err(ClusterError::from)?;
    let store = arguments.store.as_deref().map(|store| names::store(store, &namespace)).transpose();
    let store = store.map_err(ClusterError::from)?;
    let deadline = arguments.wait.and_then(GoDuration::positive).map(|wait| Instant::now() + wait);
    loop {
        let patient = Patient {
            client: &client,
            namespace: arguments.cluster.given_namespace(),
            store: store.as_ref(),
            class: &arguments.controller_class,
            now: Timestamp::now(),
        };
        let findings = if arguments.pre { before::look(&patient).await } else { look(arguments, &patient).await? };
        let is_failed = findings.iter().any(|finding| finding.outcome == Outcome::Failed);
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Some(rest) = rest.filter(|rest| is_failed && !rest.is_zero()) {
            note("some checks still fail; checking again");
            tokio::time::sleep(PAUSE.min(rest)).await;
            continue;
        }
        let findings = bounded(findings);
        let text = match arguments.output.format {
            ReportFormat::Short => print::short,
            _ => print::text,
        };
        arguments.output.output().print(|| text(&findings), || print::document(&findings))?;
        let is_warned = findings.iter().any(|finding| finding.outcome == Outcome::Warning);
        return Ok(match deadline {
            Some(_) if is_failed => ExitCode::from(WAITED_IN_VAIN),
            _ if is_failed || (is_warned && arguments.fail_on == FailOn::Warning) => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        });
    }
}

/// All checks of an installation.
async fn look(arguments: &DoctorArguments, patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let mut findings = server::look(patient).await;
    // Without the API server, nothing else can be learned.
    if findings.iter().any(|finding| finding.outcome == Outcome::Failed && finding.id == server::API_SERVER) {
        return Ok(findings);
    }
    findings.extend(definitions::look(patient).await);
    findings.extend(controller::look(patient).await);
    let version = served_version(patient.client).await.map_err(ClusterError::from)?;
    let Some(version) = version else { return Ok(findings) };
    let cluster = Cluster { client: patient.client.clone(), version };
    findings.extend(webhook::look(patient, &cluster).await);
    let stores = stores::listed(patient, &cluster).await;
    findings.extend(stores::look(patient, &cluster, &stores).await);
    if let Ok(stores) = &stores {
        findings.extend(federation::look(patient, stores).await);
    }
    if arguments.probe {
        let found = probe::look(&cluster, &stores, arguments.azure_identity, &arguments.providers).await?;
        findings.extend(found);
    }
    findings.extend(objects::look(patient, &cluster).await);
    findings.extend(pushes::look(patient, &cluster).await);
    Ok(findings)
}
