//! `external-secrets render`, as a person uses it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const MANIFEST: &str = r#"
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db}
spec:
  secretStoreRef: {name: vault, kind: ClusterSecretStore}
  target:
    template:
      data:
        url: "postgres://{{ .user }}:{{ .password | urlquery }}@db"
  dataFrom:
  - extract: {key: db}
"#;

const STORE: &str = r#"
---
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: vault}
spec:
  provider:
    fake:
      data:
      - {key: db, value: '{"user":"u","password":"p w"}'}
"#;

fn render(manifests: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_external-secrets"))
        .args(["render", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(manifests.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn values_are_shown_by_their_length_and_hash_alone() {
    let output = render(&format!("{MANIFEST}{STORE}"), &[]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(printed.contains("name: db") && printed.contains("REDACTED (19 bytes, hash "), "{printed}");
    assert!(!printed.contains("postgres") && !printed.contains("cG9zdGdyZXM"), "{printed}");
}

#[test]
fn values_are_printed_when_asked_for() {
    let printed = text(&render(&format!("{MANIFEST}{STORE}"), &["--show-values"]).stdout);
    // postgres://u:p+w@db
    assert!(printed.contains("url: cG9zdGdyZXM6Ly91OnArd0BkYg=="), "{printed}");
}

#[test]
fn another_object_than_a_secret_is_printed_with_its_values_redacted() {
    let manifest = r#"
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db}
spec:
  secretStoreRef: {name: vault, kind: ClusterSecretStore}
  target:
    name: settings
    manifest: {apiVersion: config.example.com/v1, kind: AppConfig}
    template:
      templateFrom:
      - {target: spec.database, literal: "user: {{ .user }}\nport: 5432"}
  dataFrom:
  - extract: {key: db}
"#;
    let printed = text(&render(&format!("{manifest}{STORE}"), &[]).stdout);
    assert!(printed.contains("kind: AppConfig") && printed.contains("name: settings"), "{printed}");
    assert!(printed.contains("user: REDACTED (1 byte, hash "), "{printed}");
    assert!(printed.contains("port: REDACTED (4 bytes, hash "), "{printed}");
    let printed = text(&render(&format!("{manifest}{STORE}"), &["--show-values"]).stdout);
    assert!(printed.contains("user: u") && printed.contains("port: 5432"), "{printed}");
}

#[test]
fn a_store_that_is_not_given_is_named_with_what_to_do() {
    let output = render(MANIFEST, &[]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("ClusterSecretStore \"vault\"") && said.contains("--values"), "{said}");
}

#[test]
fn a_template_that_fails_is_named_with_line_and_column() {
    let output = render(&format!("{}{STORE}", MANIFEST.replace(".user", ".nobody")), &[]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("spec.target.template.data[url]: template: url:1:"), "{said}");
}

#[test]
fn metadata_that_is_made_of_values_is_hidden_like_them_and_no_two_runs_print_the_same_hash() {
    let manifest = MANIFEST.replace(
        "    template:\n",
        "    template:\n      metadata: {annotations: {made: \"{{ .password }}\", written: as it stands}}\n",
    );
    let run = || text(&render(&format!("{manifest}{STORE}"), &[]).stdout);
    let printed = run();
    assert!(
        printed.contains("written: as it stands") && printed.contains("made: REDACTED (3 bytes, hash "),
        "{printed}"
    );
    assert!(printed.contains("reconcile.external-secrets.io/data-hash: REDACTED (56 bytes, hash "), "{printed}");
    assert!(!printed.contains("p w"), "{printed}");
    assert_ne!(printed, run());
}

#[test]
fn what_cannot_be_rendered_does_not_hide_the_others() {
    let broken = MANIFEST.replace("name: db}", "name: broken}").replace("key: db}", "key: nothing}");
    let output = render(&format!("{broken}---{MANIFEST}{STORE}"), &[]);
    let said = text(&output.stderr);
    assert!(!output.status.success());
    assert!(text(&output.stdout).contains("# ExternalSecret \"db\"\n"), "{said}");
    assert!(
        said.contains("ExternalSecret \"broken\": spec.dataFrom[0].extract: the store has no key \"nothing\""),
        "{said}"
    );
}

#[test]
fn a_target_that_is_among_the_manifests_is_merged_into() {
    let merge = MANIFEST.replace("  target:\n", "  target:\n    creationPolicy: Merge\n");
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {theirs: x}\n";
    let printed = text(&render(&format!("{merge}{STORE}{secret}"), &["--show-values"]).stdout);
    assert!(printed.contains("theirs: eA==") && printed.contains("url: "), "{printed}");
    let without = text(&render(&format!("{merge}{STORE}"), &[]).stdout);
    assert!(without.contains("secret will not be created due to CreationPolicy=Merge"), "{without}");
}

#[test]
fn nonsense_is_told_in_one_sentence() {
    let output = render(&MANIFEST.replace("extract: {key: db}", "extrakt: {key: db}"), &[]);
    assert_eq!(
        text(&output.stderr),
        "external-secrets: standard input, line 2: ExternalSecret \"db\": spec.dataFrom[0].extrakt: there is no such field\n"
    );
}
