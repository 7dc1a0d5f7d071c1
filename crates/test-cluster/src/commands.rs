//! The command lines of the cluster's processes.

use std::path::{Path, PathBuf};

use crate::supervisor::Program;

use super::binaries::Binaries;
use super::files::Files;

/// Writes reach the disk when the system decides: the data need not survive a crash of the machine.
pub(super) fn etcd(binaries: &Binaries, files: &Files) -> Program {
    let url = "http://localhost:2380";
    program(binaries.etcd(), files, "etcd.log").arguments([
        flag("data-dir", &path(&files.etcd_data)),
        flag("unsafe-no-fsync", "true"),
        flag("listen-client-urls", &socket(&files.etcd_socket)),
        flag("listen-peer-urls", &socket(&files.etcd_peer_socket)),
        // A cluster of one contacts no peer, but these do not accept a socket's path.
        flag("advertise-client-urls", url),
        flag("initial-advertise-peer-urls", url),
        flag("initial-cluster", &format!("default={url}")),
        flag("log-level", "warn"),
    ])
}

pub(super) fn api_server(binaries: &Binaries, files: &Files, port: u16, issuer: &str) -> Program {
    program(binaries.api_server(), files, "kube-apiserver.log").arguments([
        flag("etcd-servers", &socket(&files.etcd_socket)),
        flag("bind-address", "127.0.0.1"),
        flag("secure-port", &port.to_string()),
        flag("tls-cert-file", &path(&files.server_certificate)),
        flag("tls-private-key-file", &path(&files.server_key)),
        flag("token-auth-file", &path(&files.tokens)),
        flag("authorization-mode", "RBAC"),
        flag("service-account-issuer", issuer),
        flag("service-account-key-file", &path(&files.service_account_public)),
        flag("service-account-signing-key-file", &path(&files.service_account_key)),
        // It would hold back a Pod until its service account's token exists; no Pod runs here.
        flag("disable-admission-plugins", "ServiceAccount"),
        flag("service-cluster-ip-range", "10.0.0.0/24"),
        flag("endpoint-reconciler-type", "none"),
        flag("profiling", "false"),
    ])
}

pub(super) fn controller_manager(binaries: &Binaries, files: &Files) -> Program {
    program(binaries.controller_manager(), files, "kube-controller-manager.log").arguments([
        flag("kubeconfig", &path(&files.kubeconfig)),
        flag("controllers", "garbage-collector-controller,namespace-controller,serviceaccount-controller"),
        flag("leader-elect", "false"),
        // Nothing connects to it, so it needs no port.
        flag("secure-port", "0"),
        flag("kube-api-qps", "200"),
        flag("kube-api-burst", "400"),
        flag("profiling", "false"),
    ])
}

fn program(path: PathBuf, files: &Files, log: &str) -> Program {
    Program::new(path, files.directory.join(log))
}

fn flag(name: &str, value: &str) -> String {
    format!("--{name}={value}")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn socket(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}
