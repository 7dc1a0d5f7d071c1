//! `external-secrets migrate`, offline: manifests, and the objects of other tools.
//!
//! Each file in `migrate/TOOL` has its answer beside it: `NAME.out`, the manifests, and `NAME.report`, what is said. With `UPDATE_GOLDENS=1` they are
//! written.

use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;

use crate::{files, read, repository};

fn migrate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_external-secrets"));
    command.arg("migrate").args(arguments).env("KUBECONFIG", "/nowhere").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lint(path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_external-secrets"));
    command.args(["lint", "--fail-on", "warning", path.to_str().unwrap()]).output().unwrap()
}

#[rstest]
#[case("akv2k8s")]
#[case("secret-provider-class")]
#[case("pod-identity")]
fn what_becomes_of_objects_of_another_tool_is_as_recorded_and_passes_lint(#[case] tool: &str) {
    let cases: Vec<_> = files(&format!("tests/repo/migrate/{tool}"), &["yaml"]);
    assert!(!cases.is_empty());
    for case in cases {
        let output = migrate(&[tool, repository(&case).to_str().unwrap()]);
        let name = case.strip_suffix(".yaml").unwrap();
        for (end, printed) in [("out", text(&output.stdout)), ("report", text(&output.stderr))] {
            let golden = format!("{name}.{end}");
            if std::env::var_os("UPDATE_GOLDENS").is_some() {
                std::fs::write(repository(&golden), &printed).unwrap();
            }
            assert!(printed == read(&golden), "{golden} is not what is printed:\n{printed}");
        }
        let impossible =
            text(&output.stderr).contains("\nnot possible: ") || text(&output.stderr).starts_with("not possible: ");
        assert_eq!(output.status.code(), Some(i32::from(impossible)), "{case}");
        if !output.stdout.is_empty() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out.yaml");
            std::fs::write(&path, &output.stdout).unwrap();
            let linted = lint(&path);
            assert!(linted.status.success(), "{case}: {}", text(&linted.stdout));
        }
    }
}

const OLD: &str = "\
apiVersion: external-secrets.io/v1beta1 # to be changed
kind: ExternalSecret
metadata: {name: db}
spec: {data: []}
";

#[test]
fn manifests_are_printed_or_changed_in_place_and_a_check_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.yaml");
    std::fs::write(&path, OLD).unwrap();
    let path = path.to_str().unwrap();
    let new = OLD.replace("io/v1beta1", "io/v1");
    let check = migrate(&["manifests", "--check", path]);
    assert_eq!((check.status.code(), text(&check.stdout)), (Some(2), String::new()));
    let printed = migrate(&["manifests", path]);
    assert_eq!((printed.status.code(), text(&printed.stdout)), (Some(0), format!("---\n{new}")));
    assert_eq!(
        text(&printed.stderr),
        format!("{path}:1: ExternalSecret \"db\": apiVersion: v1beta1 is v1\n1 objects written as v1\n")
    );
    assert_eq!(std::fs::read_to_string(path).unwrap(), OLD);
    assert_eq!(migrate(&["manifests", "--in-place", path]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(path).unwrap(), new);
    assert_eq!(migrate(&["manifests", "--check", path]).status.code(), Some(0));
}

#[test]
fn a_store_that_is_given_is_read_in_place_of_one_that_is_made() {
    let file = repository("tests/repo/migrate/akv2k8s/secret.yaml");
    let output = migrate(&["akv2k8s", file.to_str().unwrap(), "--store", "css/azure-key-vault"]);
    let printed = text(&output.stdout);
    assert!(
        printed.contains("kind: ClusterSecretStore\n    name: azure-key-vault")
            && !printed.contains("kind: SecretStore"),
        "{printed}"
    );
    let output = migrate(&["akv2k8s", file.to_str().unwrap(), "--service-account", "reader", "-o", "json"]);
    assert!(text(&output.stdout).contains("serviceAccountRef:\n        name: reader"), "{}", text(&output.stdout));
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(report["version"], 1);
    assert!(report["report"].as_array().unwrap().iter().any(|line| line["result"] == "by hand"));
}
