//! `external-secrets lint`, as a person and a pipeline use it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{files, repository};

const MANIFEST: &str = "\
apiVersion: external-secrets.io/v1beta1 # old
kind: ExternalSecret
metadata: {name: db}
spec:
  secretStoreRef: {name: vault, kind: ClusterSecretStore}
  data:
  - {secretKey: a, remoteRef: {key: a}}
";

fn lint(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_external-secrets"))
        .arg("lint")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_examples_have_no_error() {
    let output = lint(&[repository("examples").to_str().unwrap()], "");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_secrets_of_the_tests_are_read_and_none_is_misunderstood() {
    let folder = repository("tests/integration/secrets");
    let output = lint(&[folder.to_str().unwrap(), "-o", "json"], "");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |problem: &Value| ["syntax", "unknown-field", "type"].contains(&problem["id"].as_str().unwrap());
    let wrong: Vec<_> = document["problems"].as_array().unwrap().iter().filter(|problem| of(problem)).collect();
    assert!(!files("tests/integration/secrets", &["yaml"]).is_empty());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_code_says_whether_something_is_wrong_or_would_change() {
    let code = |arguments: &[&str], input: &str| lint(&[arguments, &["-"]].concat(), input).status.code().unwrap();
    assert_eq!(code(&[], MANIFEST), 0, "a warning is no failure");
    assert_eq!(code(&["--fail-on=warning"], MANIFEST), 1);
    assert_eq!(code(&["--fail-on=warning", "--disable=old-version"], MANIFEST), 0);
    assert_eq!(code(&["--fix", "--dry-run"], MANIFEST), 2);
    assert_eq!(code(&["--fix", "--dry-run"], &MANIFEST.replace("io/v1beta1", "io/v1")), 0);
    assert_eq!(code(&[], &MANIFEST.replace("key: a}", "kez: a}")), 1);
    assert_eq!(code(&["--dry-run"], MANIFEST), 1, "it needs --fix");
}

#[test]
fn what_comes_by_a_pipe_goes_on_by_one_and_the_problems_beside_it() {
    let output = lint(&["-", "--fix"], MANIFEST);
    assert_eq!(text(&output.stdout), MANIFEST.replace("io/v1beta1", "io/v1"));
    assert!(text(&output.stderr).ends_with("0 errors, 0 warnings, 1 note; 1 fixed\n"), "{}", text(&output.stderr));
}

#[test]
fn a_file_is_changed_in_place_and_not_by_a_dry_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.yaml");
    std::fs::write(&path, MANIFEST).unwrap();
    let run = |arguments: &[&str]| lint(&[&[path.to_str().unwrap()], arguments].concat(), "").status.code().unwrap();
    assert_eq!(run(&["--fix", "--dry-run"]), 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), MANIFEST);
    assert_eq!(run(&["--fix"]), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), MANIFEST.replace("io/v1beta1", "io/v1"));
}

#[test]
fn a_patch_that_a_kustomization_names_lacks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("patch.yaml", "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: a}\nspec: {}\n");
    let run = || lint(&[folder.path().to_str().unwrap()], "");
    let alone = run();
    assert!(text(&alone.stdout).contains("error[type]: spec: has no provider"), "{}", text(&alone.stdout));
    write("kustomization.yaml", "resources: [base]\npatches:\n- path: patch.yaml\n");
    assert_eq!(run().status.code(), Some(0), "{}", text(&run().stdout));
}

#[test]
fn code_scanning_and_workflows_get_what_they_read() {
    let bad = MANIFEST.replace("key: a}", "kez: a}");
    let document: Value = serde_json::from_slice(&lint(&["-", "-o", "sarif"], &bad).stdout).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "standard%20input");
        assert!(place["region"]["startLine"].as_u64() >= Some(1) && place["region"]["startColumn"].as_u64() >= Some(1));
        assert_eq!(result["partialFingerprints"]["external-secrets-lint/v1"].as_str().unwrap().len(), 32);
    }
    let commands = text(&lint(&["-", "-o", "github"], &bad).stdout);
    assert!(
        commands.starts_with("::warning file=standard input,line=1,col=1,title=old-version::apiVersion: "),
        "{commands}"
    );
    assert!(commands.contains("\n::error file=standard input,line=7,col="), "{commands}");
}

#[test]
fn every_check_has_a_row_in_the_documentation() {
    let page = crate::read("docs/lint.md");
    let document: Value = serde_json::from_slice(&lint(&["-", "-o", "sarif"], MANIFEST).stdout).unwrap();
    for rule in document["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap() {
        let id = rule["id"].as_str().unwrap();
        assert!(page.contains(&format!("\n| `{id}` | ")), "docs/lint.md lacks {id}");
    }
}
