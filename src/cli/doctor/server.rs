//! Checks whether the API server answers, and whether its clock agrees with this machine's.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::controller::core::api_call::bounded;

/// The check that all others depend on.
pub(super) const API_SERVER: &str = "api-server";
const ANSWERS: Check = Check::new("api server", API_SERVER);
const CLOCK: Check = Check::new("api server", "clock");

/// How far clocks may differ. Tokens are valid from the time when they are issued, by the clock of whichever server
/// verifies them.
const CLOCK_TOLERANCE: i64 = 60;

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let version = match bounded(patient.client.apiserver_version()).await {
        Ok(version) => version,
        Err(error) if error.code() == Some(403) => {
            let mut findings = vec![ANSWERS.ok("the API server answers, and does not tell you its version")];
            findings.extend(clock(patient).await);
            return findings;
        }
        Err(error) if error.code() == Some(401) => {
            let (remedy, see) = ("Log in again, or name another context.", "docs/install.md");
            return vec![ANSWERS.failed("the API server does not accept your credentials", remedy, see)];
        }
        Err(error) => {
            let remedy = "Check the kubeconfig, the context, and that the API server can be reached from here.";
            let see = "docs/troubleshooting.md#an-externalsecret-does-not-become-ready";
            return vec![ANSWERS.failed(format!("the API server does not answer: {}", error.reason()), remedy, see)];
        }
    };
    let mut findings = vec![ANSWERS.ok(format!("the API server answers, {}", version.git_version))];
    findings.extend(clock(patient).await);
    findings
}

/// Compares the clocks by the date of the API server's response.
async fn clock(patient: &Patient<'_>) -> Option<Finding> {
    let request = http::Request::get("/version").body(kube::client::Body::empty()).ok()?;
    let answer = patient.client.send(request).await.ok()?;
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    let there = rfc2822::parse(&date.replace("GMT", "+0000")).ok()?.timestamp();
    let apart = there.duration_since(Timestamp::now()).as_secs();
    Some(if apart.abs() > CLOCK_TOLERANCE {
        CLOCK.warning(
            format!("the API server's clock is {apart} s away from this machine's"),
            "Synchronize the clocks of the nodes and of this machine with NTP: tokens are refused if clocks differ.",
            "docs/troubleshooting.md#entra-id-gives-no-token",
        )
    } else {
        CLOCK.ok("its clock agrees with this machine's")
    })
}
