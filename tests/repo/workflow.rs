//! The workflow that runs on a pull request, without running it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{files, read, repository};

#[test]
fn every_workflow_passes_actionlint() {
    let build = Command::new(repository("tests/workflow/build")).output().unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let folder = PathBuf::from(String::from_utf8(build.stdout).unwrap().trim_end());
    let workflows = files(".github/workflows", &["yaml", "yml"]);
    assert!(!workflows.is_empty());
    let lint = Command::new(folder.join("actionlint"))
        // Which would be used where they are there.
        .args(["-shellcheck=", "-pyflakes="])
        .args(workflows)
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

#[test]
fn a_pull_request_runs_what_a_person_runs_with_the_least_rights_and_pinned_actions() {
    let workflow: Value = serde_saphyr::from_str(&read(".github/workflows/ci.yaml")).unwrap();
    assert!(workflow["on"].as_object().unwrap().contains_key("pull_request"));
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let jobs = workflow["jobs"].as_object().unwrap();
    let steps: Vec<_> = jobs.values().flat_map(|job| job["steps"].as_array().unwrap()).collect();
    assert!(jobs.values().all(|job| job["permissions"].is_null()));
    assert!(steps.iter().any(|step| step["run"] == ".ci/run"));
    for action in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let (name, commit) = action.split_once('@').expect("a version");
        assert!(
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "pin {name} to a commit, not to {commit}: a tag may be moved"
        );
    }
}
