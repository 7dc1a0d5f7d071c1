//! helm and kubectl, as people and pipelines use them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_cluster::Cluster;

/// A path below the repository's root.
pub fn repository(path: &str) -> PathBuf {
    crate::repository().join(path)
}

/// helm and kubectl of a person who may do anything in one cluster.
pub struct Tools {
    helm: PathBuf,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// Their own home folder.
    pub home: tempfile::TempDir,
}

impl Tools {
    /// For a cluster's administrator.
    pub fn of(cluster: &Cluster) -> Self {
        Self::with(cluster.kubectl(), cluster.kubeconfig())
    }

    /// For a kubeconfig's user.
    pub fn with(kubectl: &Path, kubeconfig: &Path) -> Self {
        let build = Command::new(repository("tests/chart/build")).output().unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
        let folder = PathBuf::from(String::from_utf8(build.stdout).unwrap().trim_end());
        Self {
            helm: folder.join("helm"),
            kubectl: kubectl.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// A command in a checkout, with both in its PATH.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let folders = [&self.helm, &self.kubectl].map(|program| program.parent().unwrap().to_owned());
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&inherited))).unwrap();
        command
            .current_dir(repository(""))
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env_remove("HELM_NAMESPACE");
        command
    }

    /// What helm prints.
    ///
    /// # Errors
    /// What it prints, errors included.
    pub fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        result(self.command(&self.helm).args(arguments).output().unwrap())
    }

    /// What kubectl prints.
    ///
    /// # Errors
    /// What it prints, errors included.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        result(self.command(&self.kubectl).args(arguments).output().unwrap())
    }

    /// Waits until definitions of custom resources are served. `kubectl wait` fails on one that the API server has only just
    /// taken, since its conditions are null.
    pub fn until_established(&self, definitions: &[&str]) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let wait = [&["wait", "--for=condition=Established", "--timeout=60s", "crd"], definitions].concat();
        while let Err(error) = self.kubectl(&wait) {
            assert!(error.contains("accessor error") && Instant::now() < deadline, "{error}");
        }
    }

    /// Writes objects to a file for kubectl; the next call overwrites it.
    pub fn manifest(&self, objects: &[Value]) -> String {
        let path = self.home.path().join("manifest.json");
        std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
        path.display().to_string()
    }

    /// What a chart renders.
    pub fn render(&self, chart: &str, release: &str, namespace: &str, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["template", release, chart, "--namespace", namespace];
        all.extend(arguments);
        let text = self.helm(&all).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        documents.into_iter().filter(|document| !document.is_null()).collect()
    }

    /// Runs a step of a task of the pipeline.
    ///
    /// # Errors
    /// What it prints, errors included.
    pub fn run_step(&self, task: &str, step: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let text = std::fs::read_to_string(repository("examples/pipeline/tasks.yaml")).unwrap();
        let tasks: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let task = tasks.iter().find(|found| found["metadata"]["name"] == task).unwrap();
        let step = task["spec"]["steps"].as_array().unwrap().iter().find(|found| found["name"] == step).unwrap();
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", step["script"].as_str().unwrap()]);
        for variable in step["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            let (_, value) = environment.iter().find(|(known, _)| *known == name).expect(name);
            command.env(name, value);
        }
        result(command.output().unwrap())
    }
}

fn result(output: Output) -> Result<String, String> {
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    if output.status.success() { Ok(stdout) } else { Err(format!("{stdout}{stderr}")) }
}
