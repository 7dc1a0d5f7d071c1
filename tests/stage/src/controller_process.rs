//! The controller as a process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use test_cluster::Cluster;
use test_cluster::supervisor::{Exit, Process, Program, Signal};

/// A running controller; killed when dropped and when its cluster ends.
pub struct Controller {
    process: Process,
    log: PathBuf,
}

impl Controller {
    /// Starts the program with these arguments and this environment.
    pub async fn start(cluster: &Cluster, arguments: &[&str], environment: Vec<(String, String)>, log: &Path) -> Self {
        let mut program = Program::new(crate::program(), log)
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
        let mut program = Program::new(crate::program(), log).arguments(arguments.iter().copied()).arguments([
            "--metrics-addr=127.0.0.1:0",
            "--healthz-addr=127.0.0.1:0",
            "--loglevel=debug",
        ]);
        for (name, value) in environment {
            program = program.environment(name, value);
        }
        Self { process: cluster.run(program).await.unwrap(), log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.pid()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its metrics.
    pub async fn metrics(&self) -> String {
        // It may have just been started.
        self.until_logged("\"flag\":\"metrics-addr\"").await;
        self.get("metrics-addr", "/metrics").await.1
    }

    /// Waits until its metrics have a line that starts like this; returns the rest of that line.
    pub async fn until_measured(&self, start: &str) -> String {
        let found = tokio::time::timeout(crate::cluster_access::DEADLINE, async {
            loop {
                let metrics = self.metrics().await;
                if let Some(rest) = metrics.lines().find_map(|line| line.strip_prefix(start)) {
                    return rest.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if let Ok(rest) = found.await {
            return rest;
        }
        panic!("no line begins with {start}\n{}", self.metrics().await)
    }

    /// Waits until it is ready.
    pub async fn until_ready(&self) {
        self.until_readyz(200, "ok").await;
    }

    /// Waits until `/readyz` answers with this status and text.
    pub async fn until_readyz(&self, status: u16, words: &str) {
        self.until_readyz_of("live-addr", status, words).await;
    }

    /// The same for a subcommand that serves its probes at another flag's address.
    pub async fn until_readyz_of(&self, flag: &str, status: u16, words: &str) {
        self.until_logged(&format!("\"flag\":\"{flag}\"")).await;
        let mut last = (0, String::new());
        let answered = tokio::time::timeout(crate::cluster_access::DEADLINE, async {
            loop {
                last = self.get(flag, "/readyz").await;
                if last.0 == status && last.1.contains(words) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(answered.await.is_ok(), "/readyz still answers {last:?}, not {status} {words}");
    }

    /// The address that it uses for one of its flags.
    pub fn address(&self, flag: &str) -> String {
        let log = self.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let listening = lines.find(|line| line["flag"] == flag).unwrap_or_else(|| panic!("it serves --{flag}: {log}"));
        listening["address"].as_str().unwrap().to_owned()
    }

    async fn get(&self, flag: &str, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}{path}", self.address(flag))).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Pauses it (SIGSTOP).
    pub fn pause(&self) {
        self.send("-STOP");
    }

    /// Resumes it (SIGCONT).
    pub fn resume(&self) {
        self.send("-CONT");
    }

    /// Sends it a signal, such as `-USR1`.
    pub fn send(&self, signal: &str) {
        let status = std::process::Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has logged this text.
    pub async fn until_logged(&self, text: &str) {
        let found = tokio::time::timeout(crate::cluster_access::DEADLINE, async {
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

    /// Waits until it has exited; returns how.
    pub async fn exited(&self) -> Exit {
        self.process.exited().await.expect("the supervisor is there")
    }

    /// Its exit and how long that took; panics if it does not exit within `deadline`.
    pub async fn ended(&self, deadline: Duration) -> (Exit, Duration) {
        let started = Instant::now();
        let exit = tokio::time::timeout(deadline, self.process.exited()).await.expect("the controller ends in time");
        (exit.expect("the supervisor is there"), started.elapsed())
    }
}
