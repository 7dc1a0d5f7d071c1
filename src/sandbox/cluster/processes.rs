//! The processes of a cluster.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::ISSUER;
use super::credentials::{Credentials, CredentialsError};

/// How long a process may take until it is ready.
const DEADLINE: Duration = Duration::from_mins(1);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(50);
/// How much of a log is shown when its process fails.
const LOG_TAIL: usize = 2_000;

/// Why a process could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not where it should be.
    #[error("{program} cannot be started: {source}; `make cluster` builds it", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It ended instead of becoming ready.
    #[error("{name} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// Its name.
        name: &'static str,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// It is not ready in time.
    #[error("{name} was not ready within {} s; the end of its log:\n{log}", DEADLINE.as_secs())]
    NotReady {
        /// Its name.
        name: &'static str,
        /// The end of its log.
        log: String,
    },
    /// No free port, or no folder.
    #[error("the cluster has no place: {0}")]
    Place(#[from] std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The client that asks whether the API server is ready cannot be made.
    #[error("the API server cannot be asked whether it is ready: {0}")]
    Client(#[from] reqwest::Error),
}

/// Ports on 127.0.0.1. They were free a moment ago; who takes one in between makes the start fail, and
/// it is tried again with others.
#[derive(Clone, Copy, Debug)]
struct Ports {
    etcd: u16,
    etcd_peer: u16,
    api_server: u16,
}

impl Ports {
    fn choose() -> std::io::Result<Self> {
        // All are held until the last is known, so that they differ.
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
        let [etcd, etcd_peer, api_server] = listeners;
        let (etcd, etcd_peer, api_server) = (etcd?, etcd_peer?, api_server?);
        Ok(Self {
            etcd: etcd.local_addr()?.port(),
            etcd_peer: etcd_peer.local_addr()?.port(),
            api_server: api_server.local_addr()?.port(),
        })
    }
}

/// The running processes; killed when dropped.
pub(super) struct Processes {
    assets: PathBuf,
    folder: PathBuf,
    ports: Ports,
    pub(super) credentials: Credentials,
    client: reqwest::Client,
    api_server: Option<Process>,
    _etcd: Process,
    _controller_manager: Process,
}

impl Processes {
    /// Starts all of them in `folder` and waits until they are ready.
    pub(super) async fn start(assets: &Path, folder: &Path) -> Result<Self, ProcessError> {
        let ports = Ports::choose()?;
        let credentials = Credentials::create(folder, ports.api_server)?;
        let ca = std::fs::read(credentials.path("ca.crt"))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .tls_certs_only([reqwest::Certificate::from_pem(&ca)?])
            .build()?;
        let etcd = Process::start(assets, folder, "etcd", &etcd_arguments(folder, ports))?;
        let mut api_server =
            Process::start(assets, folder, "kube-apiserver", &api_server_arguments(&credentials, ports))?;
        until_ready(&mut api_server, &client, ports.api_server).await?;
        let arguments = controller_manager_arguments(&credentials);
        let controller_manager = Process::start(assets, folder, "kube-controller-manager", &arguments)?;
        Ok(Self {
            assets: assets.to_owned(),
            folder: folder.to_owned(),
            ports,
            credentials,
            client,
            api_server: Some(api_server),
            _etcd: etcd,
            _controller_manager: controller_manager,
        })
    }

    /// Kills the API server.
    pub(super) async fn stop_api_server(&mut self) {
        if let Some(mut process) = self.api_server.take() {
            // It ended already, then.
            let _ = process.child.kill().await;
        }
    }

    /// Starts the API server again.
    pub(super) async fn start_api_server(&mut self) -> Result<(), ProcessError> {
        self.stop_api_server().await;
        let arguments = api_server_arguments(&self.credentials, self.ports);
        let mut process = Process::start(&self.assets, &self.folder, "kube-apiserver", &arguments)?;
        until_ready(&mut process, &self.client, self.ports.api_server).await?;
        self.api_server = Some(process);
        Ok(())
    }
}

async fn until_ready(process: &mut Process, client: &reqwest::Client, port: u16) -> Result<(), ProcessError> {
    let url = format!("https://127.0.0.1:{port}/readyz");
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(status) = process.child.try_wait()? {
            return Err(ProcessError::Ended {
                name: process.name,
                status: status.to_string(),
                log: process.log_tail(),
            });
        }
        if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(ProcessError::NotReady { name: process.name, log: process.log_tail() })
}

struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(assets: &Path, folder: &Path, name: &'static str, arguments: &[String]) -> Result<Self, ProcessError> {
        let program = assets.join(name);
        let log = folder.join(format!("{name}.log"));
        let output = std::fs::File::options().create(true).append(true).open(&log)?;
        let child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ProcessError::Start { program, source })?;
        Ok(Self { name, child, log })
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

fn etcd_arguments(folder: &Path, ports: Ports) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{}", ports.etcd), format!("http://127.0.0.1:{}", ports.etcd_peer));
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // What is lost with the machine is lost anyway.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

fn api_server_arguments(credentials: &Credentials, ports: Ports) -> Vec<String> {
    let path = |name: &str| credentials.path(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api_server),
        format!("--tls-cert-file={}", path("tls.crt")),
        format!("--tls-private-key-file={}", path("tls.key")),
        format!("--token-auth-file={}", path("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-issuer={ISSUER}"),
        format!("--service-account-key-file={}", path("issuer.pub")),
        format!("--service-account-signing-key-file={}", path("issuer.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // Pods, of which there are none, need it; and objects could be made before it is ready.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}

fn controller_manager_arguments(credentials: &Credentials) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", credentials.path("kubeconfig").display()),
        "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller".to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
    ]
}
