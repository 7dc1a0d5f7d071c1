//! The pull request workflow, checked without running it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{files, read, repository};

/// What a workflow script prints: the folder it has filled.
fn folder_of(script: &str) -> PathBuf {
    let build = Command::new(repository(script)).output().unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    PathBuf::from(String::from_utf8(build.stdout).unwrap().trim_end())
}

/// All workflows by file.
fn workflows() -> Vec<(String, Value)> {
    let files = files(".github/workflows", &["yaml", "yml"]);
    assert!(files.len() > 3);
    files.into_iter().map(|file| (file.clone(), serde_saphyr::from_str(&read(&file)).unwrap())).collect()
}

#[test]
fn every_workflow_passes_actionlint() {
    let lint = Command::new(folder_of("tests/workflow/build").join("actionlint"))
        // Disables tools that would be used if present.
        .args(["-shellcheck=", "-pyflakes="])
        .args(workflows().into_iter().map(|(file, _)| file))
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

#[test]
fn zizmor_finds_nothing_that_endangers_the_workflows() {
    let audit = Command::new(folder_of("tests/workflow/zizmor").join("bin/zizmor"))
        .args(["--offline", "--no-progress", ".github"])
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

#[test]
fn every_workflow_has_pinned_actions_and_only_the_rights_that_its_jobs_name() {
    for (file, workflow) in workflows() {
        let rights = &workflow["permissions"];
        let least = [serde_json::json!({}), serde_json::json!({"contents": "read"})];
        assert!(least.contains(rights), "{file}: {rights}");
        for job in workflow["jobs"].as_object().unwrap().values() {
            for action in job["steps"].as_array().unwrap().iter().filter_map(|step| step["uses"].as_str()) {
                let (name, commit) = action.split_once('@').expect("a version");
                let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(is_commit, "pin {name} to a commit, not to {commit}: a tag may be moved");
            }
        }
    }
}

#[test]
fn a_release_has_one_version_everywhere_and_a_section_in_the_changelog() {
    let check = |version: &str| {
        let check = Command::new(repository(".ci/version")).arg(version).output().unwrap();
        assert!(!check.status.success());
        String::from_utf8(check.stderr).unwrap()
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(check(version), format!("CHANGELOG.md has no section ## {version}\n"), "what is not released yet");
    assert_eq!(check("99.0.0"), "Cargo.toml has no line: version = \"99.0.0\"\n");
}

#[test]
fn what_krew_installs_is_what_a_release_publishes() {
    let plugin = read(".krew.yaml");
    let release = read(".github/workflows/release.yaml");
    assert!(release.contains("external-secrets_linux_$ARCHITECTURE.tar.gz"));
    for architecture in ["amd64", "arm64"] {
        assert!(release.contains(&format!("architecture: {architecture}")));
        assert!(plugin.contains(&format!("external-secrets_linux_{architecture}.tar.gz")));
    }
    assert!(release.contains("bin/external-secrets licenses/LICENSE") && plugin.contains("bin: external-secrets"));
    assert!(release.contains("out/external-secrets_$NAME.tar.gz"));
    for name in ["darwin_amd64", "darwin_arm64", "windows_amd64"] {
        assert!(release.contains(&format!("name: {name}}}")), "{name}");
        let (_, rest) = plugin.split_once(&format!("external-secrets_{name}.tar.gz")).unwrap();
        let program = if name.starts_with("windows") { "external-secrets.exe" } else { "external-secrets" };
        assert!(rest.lines().nth(1).unwrap().ends_with(&format!("bin: {program}")), "{name}");
    }
}

#[test]
fn a_pull_request_runs_what_a_person_runs_with_the_least_rights() {
    let workflow: Value = serde_saphyr::from_str(&read(".github/workflows/ci.yaml")).unwrap();
    assert!(workflow["on"].as_object().unwrap().contains_key("pull_request"));
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let jobs = workflow["jobs"].as_object().unwrap();
    let steps: Vec<_> = jobs.values().flat_map(|job| job["steps"].as_array().unwrap()).collect();
    assert!(jobs.values().all(|job| job["permissions"].is_null()));
    assert!(steps.iter().any(|step| step["run"] == ".ci/run"));
}
