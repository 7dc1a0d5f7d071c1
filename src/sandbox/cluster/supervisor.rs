//! The process that holds a cluster's processes.

use std::io::Write;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

use super::processes::{ProcessError, Processes};
use super::{Answer, Description, ISSUER, Request};

/// How often a start is tried that failed, most likely because another process took a port meanwhile.
const TRIES: usize = 3;

/// Starts a cluster, says so on standard output, does what standard input asks, and ends the cluster
/// with it or on a signal. Lines are JSON: [`Request`] in, [`Answer`] out.
///
/// # Errors
/// [`ProcessError`], which was answered as well.
pub async fn supervise(assets: &Path) -> Result<(), ProcessError> {
    let (folder, mut processes) = match start(assets).await {
        Ok(started) => started,
        Err(error) => {
            answer(&Answer::Failed(error.to_string()));
            return Err(error);
        }
    };
    answer(&Answer::Ready(describe(&processes, assets, folder.path())));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut terminate = signal(SignalKind::terminate())?;
    // Ctrl-C reaches all processes of a terminal; whoever started this one decides what it means.
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => answer(&execute(&mut processes, &line).await),
                Ok(None) | Err(_) => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => {}
        }
    }
}

/// Starts a cluster and gives it with its folder, which goes when it is dropped.
async fn start(assets: &Path) -> Result<(tempfile::TempDir, Processes), ProcessError> {
    let mut tries = 1;
    loop {
        let folder = tempfile::Builder::new().prefix("external-secrets-cluster-").tempdir()?;
        match Processes::start(assets, folder.path()).await {
            Ok(processes) => return Ok((folder, processes)),
            Err(ProcessError::Ended { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn describe(processes: &Processes, assets: &Path, folder: &Path) -> Description {
    Description {
        kubeconfig: processes.credentials.path("kubeconfig"),
        kubectl: PathBuf::from(assets).join("kubectl"),
        issuer: ISSUER.to_owned(),
        issuer_public_key: processes.credentials.issuer_public_key.clone(),
        folder: folder.to_owned(),
    }
}

async fn execute(processes: &mut Processes, line: &str) -> Answer {
    let done = match serde_json::from_str(line) {
        Ok(Request::StopApiServer) => {
            processes.stop_api_server().await;
            Ok(())
        }
        Ok(Request::StartApiServer) => processes.start_api_server().await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("no request: {error}")),
    };
    done.map_or_else(Answer::Failed, |()| Answer::Done)
}

/// Says something to whoever started this process; nobody may be there any more.
fn answer(answer: &Answer) {
    let mut output = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(answer) {
        let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    }
}
