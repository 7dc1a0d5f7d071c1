//! The files of the cluster's processes.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::credentials::Credentials;
use super::error::ClusterError;

const CA_CERTIFICATE: &str = "ca.crt";

/// The locations of all files. Only its owner can read the folder.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) etcd_data: PathBuf,
    pub(super) etcd_socket: PathBuf,
    pub(super) etcd_peer_socket: PathBuf,
    pub(super) ca_certificate: PathBuf,
    pub(super) server_certificate: PathBuf,
    pub(super) server_key: PathBuf,
    pub(super) service_account_key: PathBuf,
    pub(super) service_account_public: PathBuf,
    pub(super) tokens: PathBuf,
    pub(super) kubeconfig: PathBuf,
}

impl Files {
    pub(super) fn write(directory: &Path, credentials: &Credentials, port: u16) -> Result<Self, ClusterError> {
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            write(&path, content)?;
            Ok::<_, ClusterError>(path)
        };
        let tokens = format!("{},admin,admin,system:masters\n", credentials.admin_token);
        let url = format!("https://127.0.0.1:{port}");
        Ok(Self {
            directory: directory.to_owned(),
            etcd_data: directory.join("etcd"),
            // Short, because the path of a socket has at most 104 or 108 bytes.
            etcd_socket: directory.join("e.sock"),
            etcd_peer_socket: directory.join("p.sock"),
            ca_certificate: file(CA_CERTIFICATE, &credentials.ca_pem)?,
            server_certificate: file("apiserver.crt", &credentials.server_certificate_pem)?,
            server_key: file("apiserver.key", &credentials.server_key_pem)?,
            service_account_key: file("service-account.key", &credentials.service_account_key_pem)?,
            service_account_public: file("service-account.pub", &credentials.service_account_public_pem)?,
            tokens: file("tokens.csv", &tokens)?,
            kubeconfig: write_kubeconfig(directory, &url, "admin", &credentials.admin_token)?,
        })
    }
}

/// Writes `<user>.kubeconfig`. It is JSON, which is also YAML, and quotes any name.
pub(super) fn write_kubeconfig(directory: &Path, url: &str, user: &str, token: &str) -> Result<PathBuf, ClusterError> {
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": url, "certificate-authority": directory.join(CA_CERTIFICATE)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user}}],
        "current-context": "sandbox",
    });
    let path = directory.join(format!("{user}.kubeconfig"));
    write(&path, &format!("{content:#}\n"))?;
    Ok(path)
}

fn write(path: &Path, content: &str) -> Result<(), ClusterError> {
    std::fs::write(path, content).map_err(|source| ClusterError::Write { path: path.to_owned(), source })
}
