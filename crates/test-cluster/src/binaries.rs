//! The programs of a cluster.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::ClusterError;

const PROGRAMS: [&str; 4] = ["kube-apiserver", "kube-controller-manager", "etcd", "kubectl"];

/// A folder with kube-apiserver, kube-controller-manager, etcd and kubectl.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
}

/// The folder with the programs that this crate's `tests/cluster/build` builds: in a few minutes the first time
/// (progress goes to standard error), and immediately afterwards.
///
/// # Errors
/// [`ClusterError::Script`] if the script does not exist, [`ClusterError::Build`] if it fails.
pub async fn find_assets() -> Result<PathBuf, ClusterError> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cluster/build");
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| ClusterError::Script { script: script.clone(), source })?;
    if !output.status.success() {
        return Err(ClusterError::Build { script, status: output.status });
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

impl Binaries {
    /// The programs in this folder, all of which must exist.
    pub(super) fn in_folder(folder: PathBuf) -> Result<Self, ClusterError> {
        match PROGRAMS.into_iter().find(|program| !folder.join(program).is_file()) {
            Some(program) => Err(ClusterError::Missing { folder, program }),
            None => Ok(Self { folder }),
        }
    }

    pub(super) fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    pub(super) fn api_server(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    pub(super) fn controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }

    pub(super) fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }
}
