//! A real Prometheus that scrapes a test's processes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use test_cluster::Cluster;
use test_cluster::supervisor::{Process, Program};

use crate::cluster_access::DEADLINE;
use crate::installation::free_port;
use crate::repository;

/// The pause between two checks while it waits.
const PAUSE: Duration = Duration::from_millis(200);

/// A running Prometheus; killed when dropped, and when its cluster ends.
pub struct Prometheus {
    _process: Process,
    url: String,
    folder: PathBuf,
    client: reqwest::Client,
}

/// The folder with `prometheus` and `promtool`; builds them if they do not exist.
pub fn programs() -> PathBuf {
    let build = Command::new(repository().join("tests/monitoring/build")).stderr(Stdio::inherit()).output().unwrap();
    assert!(build.status.success(), "tests/monitoring/build failed");
    PathBuf::from(String::from_utf8(build.stdout).unwrap().trim_end())
}

impl Prometheus {
    /// Starts it in a folder of the cluster. It scrapes each address twice a second, as a job with the given name.
    pub async fn start(cluster: &Cluster, targets: &[(&str, String)], rules: &Value) -> Self {
        let folder = cluster.directory().join("prometheus");
        std::fs::create_dir(&folder).unwrap();
        let scrapes: Vec<_> = targets
            .iter()
            .map(|(job, address)| json!({"job_name": job, "static_configs": [{"targets": [address]}]}))
            .collect();
        let configuration = json!({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": scrapes,
        });
        std::fs::write(folder.join("prometheus.yaml"), configuration.to_string()).unwrap();
        std::fs::write(folder.join("rules.yaml"), rules.to_string()).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let program = Program::new(programs().join("prometheus"), folder.join("log"))
            .arguments(["--web.enable-lifecycle".to_owned(), format!("--web.listen-address={address}")])
            .arguments([
                format!("--config.file={}", folder.join("prometheus.yaml").display()),
                format!("--storage.tsdb.path={}", folder.join("data").display()),
            ]);
        let process = cluster.run(program).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let prometheus = Self { _process: process, url: format!("http://{address}"), folder, client };
        let is_ready =
            async || prometheus.get("/api/v1/rules", &[]).await.is_some_and(|answer| answer["status"] == "success");
        prometheus.until("it answers", is_ready).await;
        prometheus
    }

    /// Evaluates other rules from now on.
    pub async fn replace_rules(&self, rules: &Value) {
        std::fs::write(self.folder.join("rules.yaml"), rules.to_string()).unwrap();
        let answer = self.client.post(format!("{}/-/reload", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The series that a query returns now.
    ///
    /// # Panics
    /// If the query is wrong.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.get("/api/v1/query", &[("query", query)]).await.unwrap_or_default();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The series that a query returns over time, once a second.
    ///
    /// # Panics
    /// If the query is wrong.
    pub async fn query_range(&self, query: &str, from: i64, to: i64) -> Vec<Value> {
        let (from, to) = (from.to_string(), to.to_string());
        let parameters = [("query", query), ("start", &from), ("end", &to), ("step", "1")];
        let answer = self.get("/api/v1/query_range", &parameters).await.unwrap_or_default();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The names of the alerts that fire now.
    pub async fn firing(&self) -> Vec<String> {
        let answer = self.get("/api/v1/alerts", &[]).await.unwrap_or_default();
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until something holds.
    ///
    /// # Panics
    /// If it does not hold within the deadline.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waited = tokio::time::timeout(DEADLINE, async {
            while !holds().await {
                tokio::time::sleep(PAUSE).await;
            }
        });
        assert!(waited.await.is_ok(), "Prometheus: {what}: not within {DEADLINE:?}; alerts: {:?}", self.firing().await);
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), parameters).unwrap();
        let answer = self.client.get(url).send().await.ok()?;
        let text = answer.text().await.ok()?;
        Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}
