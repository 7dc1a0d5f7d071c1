//! The controller as a process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use external_secrets::sandbox::cluster::Cluster;
use external_secrets::sandbox::supervisor::{Exit, Process, Program, Signal};

/// A running controller; killed when dropped, and when its cluster ends.
pub struct Controller {
    process: Process,
    log: PathBuf,
}

impl Controller {
    /// Starts the program with these arguments and this environment.
    pub async fn start(cluster: &Cluster, arguments: &[&str], environment: Vec<(String, String)>, log: &Path) -> Self {
        let mut program = Program::new(env!("CARGO_BIN_EXE_external-secrets"), log)
            .arguments(["--metrics-addr=127.0.0.1:0", "--live-addr=127.0.0.1:0", "--loglevel=debug"])
            .arguments(arguments.iter().copied());
        for (name, value) in environment {
            program = program.environment(name, value);
        }
        Self { process: cluster.run(program).await.unwrap(), log: log.to_owned() }
    }

    /// Starts another of the program's processes: a subcommand with its arguments.
    pub async fn start_subcommand(
        cluster: &Cluster,
        arguments: &[&str],
        environment: Vec<(String, String)>,
        log: &Path,
    ) -> Self {
        let mut program = Program::new(env!("CARGO_BIN_EXE_external-secrets"), log)
            .arguments(arguments.iter().copied())
            .arguments(["--metrics-addr=127.0.0.1:0", "--healthz-addr=127.0.0.1:0", "--loglevel=debug"]);
        for (name, value) in environment {
            program = program.environment(name, value);
        }
        Self { process: cluster.run(program).await.unwrap(), log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.pid()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What it serves as metrics.
    pub async fn metrics(&self) -> String {
        let log = self.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let listening = lines.find(|line| line["flag"] == "metrics-addr").expect("it serves metrics");
        let address = listening["address"].as_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Stops it in its tracks (SIGSTOP).
    pub fn pause(&self) {
        self.send("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.send("-CONT");
    }

    fn send(&self, signal: &str) {
        let status = std::process::Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has logged something.
    pub async fn until_logged(&self, text: &str) {
        let found = tokio::time::timeout(super::cluster_access::DEADLINE, async {
            while !self.log().contains(text) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(found.await.is_ok(), "not logged: {text}\n{}", self.log());
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        self.process.signal(Signal::Terminate).unwrap();
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&self) {
        self.process.kill().await.unwrap();
    }

    /// How it ended, once it has.
    pub async fn exited(&self) -> Exit {
        self.process.exited().await.expect("the supervisor is there")
    }

    /// How it ended; panics if it does not end within `deadline`.
    pub async fn ended(&self, deadline: Duration) -> (Exit, Duration) {
        let started = Instant::now();
        let exit = tokio::time::timeout(deadline, self.process.exited()).await.expect("the controller ends in time");
        (exit.expect("the supervisor is there"), started.elapsed())
    }
}
