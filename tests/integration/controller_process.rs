//! The controller as a process.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running controller; killed when dropped.
pub struct Controller {
    child: Child,
    log: PathBuf,
}

impl Controller {
    /// Starts the program with these arguments and this environment, and nothing else of ours.
    pub fn start(arguments: &[&str], environment: &[(String, String)], log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_external-secrets"))
            .args(["--metrics-addr=127.0.0.1:0", "--live-addr=127.0.0.1:0", "--loglevel=debug"])
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What it serves as metrics.
    pub async fn metrics(&self) -> String {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let listening = lines.into_iter().find(|line| line["flag"] == "metrics-addr").expect("it serves metrics");
        let address = listening["address"].as_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended; panics if it does not end within `deadline`.
    pub async fn ended(&mut self, deadline: Duration) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let ended = async {
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            loop {
                tick.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        let status = tokio::time::timeout(deadline, ended).await.expect("the controller ends in time");
        (status, started.elapsed())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
