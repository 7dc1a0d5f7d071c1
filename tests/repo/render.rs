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
fn programs_get_one_document_with_the_manifest_of_each() {
    let output = render(&format!("{MANIFEST}{STORE}"), &["-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let one = &document["rendered"][0];
    assert_eq!((&document["version"], &one["externalSecret"]["name"]), (&1.into(), &"db".into()));
    assert_eq!((&one["manifest"]["kind"], &one["manifest"]["metadata"]["name"]), (&"Secret".into(), &"db".into()));
    assert!(one["manifest"]["data"]["url"].as_str().unwrap().starts_with("REDACTED (19 bytes, hash "), "{one}");
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
fn nonsense_is_reported_in_one_sentence() {
    let output = render(&MANIFEST.replace("extract: {key: db}", "extrakt: {key: db}"), &[]);
    assert_eq!(
        text(&output.stderr),
        "external-secrets: standard input, line 2: ExternalSecret \"db\": spec.dataFrom[0].extrakt: unknown field\n"
    );
}

/// What is printed with values from a file, or else what is said.
fn render_with(values: &str, manifests: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values).unwrap();
    let output = render(manifests, &["--show-values", "--values", file.to_str().unwrap()]);
    let path = folder.path().display().to_string();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr).replace(&format!("{path}/"), ""))
    }
}

/// An ExternalSecret with one entry of `data`, whose `remoteRef` this is.
fn of(reference: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: a}}\nspec:\n  secretStoreRef: {{name: vault}}\n  \
         data: [{{secretKey: out, remoteRef: {reference}}}]\n"
    )
}

#[test]
fn values_of_a_file_are_read_as_those_of_a_vault() {
    let values = "db: {foo.json: bar, port: 5432}\npin: 0123\ndb.tags: {env: prod}\ndb.attributes: {expires: 2027-01-01T00:00:00Z}\n";
    for (reference, expected) in [
        ("{key: db, property: foo.json}", "out: YmFy"),
        ("{key: secret/DB, version: 0123456789abcdef0123456789abcdef, property: port}", "out: NTQzMg=="),
        ("{key: pin}", "out: MDEyMw=="),
        ("{key: db, metadataPolicy: Fetch, property: env}", "out: cHJvZA=="),
        ("{key: db, metadataPolicy: Fetch, property: attribute.expires}", "out: MjAyNy0wMS0wMVQwMDowMDowMFo="),
    ] {
        let printed = render_with(values, &of(reference)).unwrap();
        assert!(printed.contains(expected), "{reference}: {printed}");
    }
}

#[test]
fn what_a_vault_would_refuse_is_refused_with_values_of_a_file_too() {
    let extract = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec:\n  \
                   secretStoreRef: {name: vault}\n  dataFrom: [{extract: {key: cert/x}}]\n";
    for (manifest, expected) in [
        (&*of("{key: under_score}"), "remoteRef.key \"under_score\" names no object that Key Vault can have"),
        (&*of("{key: secrets/x}"), "remoteRef.key \"secrets/x\" names the unknown kind \"secrets\""),
        (&*of("{key: x, version: v1}"), "remoteRef.version \"v1\" is not a version of Key Vault"),
        (extract, "dataFrom.extract cannot take \"cert/x\" apart: it is not a secret"),
        (&*of("{key: gone}"), "values.yaml has no secret \"gone\": add \"gone\" to it, or correct remoteRef.key"),
        (&*of("{key: x, property: p}"), "secret \"x\" in values.yaml has no property \"p\""),
        (&*of("{key: x, metadataPolicy: Fetch}"), "values.yaml does not say the tags of secret \"x\""),
    ] {
        let said = render_with("x: '{}'\n", manifest).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_store_keeps_its_conditions_where_a_file_stands_for_its_vault() {
    let store = STORE.replace("spec:\n", "spec:\n  conditions: [{namespaces: [team-b]}]\n");
    let said = render_with("db: {user: u, password: p}\n", &format!("{MANIFEST}{store}")).unwrap_err();
    assert!(said.contains("may not be used from namespace \"default\""), "{said}");
    assert!(render_with("db: {user: u, password: p}\n", &format!("{MANIFEST}{STORE}")).is_ok());
}

#[test]
fn a_secret_that_the_api_server_would_refuse_is_named() {
    let typed = |type_: &str, key: &str| {
        let template = format!("  target: {{template: {{type: {type_}, data: {{{key}: \"{{{{ .out }}}}\"}}}}}}\n");
        of("{key: x}").replace("  data:", &format!("{template}  data:"))
    };
    let refused = |values: &str, manifest: &str| render_with(values, manifest).unwrap_err();
    let said = refused("x: text", &typed("kubernetes.io/tls", "tls.crt"));
    assert!(said.contains("would be of the type \"kubernetes.io/tls\", which needs the key \"tls.key\""), "{said}");
    let said = refused("x: text", &typed("kubernetes.io/dockerconfigjson", ".dockerconfigjson"));
    assert!(said.contains("which needs a JSON object in the key \".dockerconfigjson\""), "{said}");
    let said = refused("x: text", &typed("kubernetes.io/ssh-auth", "key"));
    assert!(said.contains("which needs a value in the key \"ssh-privatekey\""), "{said}");
    assert!(render_with("x: {auths: {}}", &typed("kubernetes.io/dockerconfigjson", ".dockerconfigjson")).is_ok());
}

#[test]
fn keys_of_manifests_are_read_as_kubectl_reads_them() {
    let manifest = of("{key: x}")
        .replace("  data:", "  target: {template: {data: {y: \"1\", no: \"2\", 0123: \"3\", 'on': \"4\"}}}\n  data:");
    let printed = render_with("x: y", &manifest).unwrap();
    for entry in ["MQ==", "Mg==", "Mw==", "NA=="] {
        assert!(printed.contains(entry), "{printed}");
    }
    for key in ["true", "false", "83", "on"] {
        assert!(
            printed.contains(&format!("  {key}: ")) || printed.contains(&format!("\"{key}\": ")),
            "{key}: {printed}"
        );
    }
}

#[test]
fn a_file_of_values_that_is_none_is_told_with_its_line() {
    for (values, expected) in [
        ("a: x\nb: {c: 0123}\n", "--values=values.yaml, line 2: this is a number or a truth value"),
        ("a: x\na: y\n", "--values=values.yaml, line 2: the key \"a\" is given twice; the other is in line 1"),
        ("a_b: x\n", "--values=values.yaml, line 1: \"a_b\" names no object that Key Vault can have"),
    ] {
        let said = render_with(values, &of("{key: a}")).unwrap_err();
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    }
}
