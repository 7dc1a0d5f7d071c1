//! No command prints a value of a secret, in any format.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::VALUE;
use super::run::{Command, Run};

/// The client secret of a store.
const CREDENTIAL: &str = "canary-of-a-credential-4711";

/// Manifests with values in clear text.
const MANIFESTS: &str = "\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: example}
spec:
  secretStoreRef: {name: STORE, kind: ClusterSecretStore}
  target: {template: {data: {url: 'https://user:{{ .a }}@db', a: '{{ .a }}'}}}
  data:
  - {secretKey: a, remoteRef: {key: one}}
  - {secretKey: b, remoteRef: {keyy: one}}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: principal}
spec:
  provider:
    azurekv:
      authType: ServicePrincipal
      tenantId: 00000000-0000-0000-0000-0000000000aa
      vaultUrl: https://a.vault.azure.net
      authSecretRef:
        clientId: {name: principal, key: id}
        clientSecret: {name: principal, key: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: principal}
stringData: {id: 00000000-0000-0000-0000-00000000c11e, secret: CREDENTIAL}
";

/// Manifests of other tools, which have no values.
const OTHERS: &str = "\
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: example}
spec: {data: [{secretKey: a, remoteRef: {key: one}}], secretStoreRef: {name: a}}
---
apiVersion: spv.no/v2beta1
kind: AzureKeyVaultSecret
metadata: {name: db}
spec: {vault: {name: shop, object: {name: one, type: secret}}, output: {secret: {name: db, dataKey: a}}}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: files}
spec:
  provider: azure
  parameters: {keyvaultName: shop, tenantID: 00000000-0000-0000-0000-0000000000aa, clientID: 00000000-0000-0000-0000-00000000c11e, objects: 'array: [\"objectName: one\\nobjectType: secret\"]'}
  secretObjects: [{secretName: files, type: Opaque, data: [{objectName: one, key: a}]}]
";

/// A command with its arguments. Those that begin with `@` are files in a folder.
#[rustfmt::skip]
const RUNS: &[&[&str]] = &[
    &["get"],
    &["get", "example", "broken"],
    &["get", "stores"],
    &["get", "externalsecrets", "pushsecrets", "clusterpushsecrets", "clusterexternalsecrets"],
    &["why", "example"],
    &["why", "example", "--check"],
    &["why", "broken", "--check"],
    &["why", "principal", "--check"],
    &["doctor"],
    &["doctor", "--pre"],
    &["doctor", "--probe"],
    &["refresh", "example", "broken", "principal", "--wait"],
    &["refresh", "--all"],
    &["refresh", "pushsecrets", "stores", "--all", "--wait"],
    &["plan"],
    &["plan", "--filename", "@manifests.yaml"],
    &["plan", "--filename", "@manifests.yaml", "--values", "@values.yaml"],
    &["render", "@manifests.yaml", "--values", "@values.yaml"],
    &["lint", "@manifests.yaml"],
    &["lint", "--fix", "--dry-run", "@manifests.yaml"],
    &["migrate", "manifests", "@others.yaml"],
    &["migrate", "manifests", "--check", "@manifests.yaml"],
    &["migrate", "stored-versions", "--dry-run"],
    &["migrate", "akv2k8s", "@others.yaml", "--check"],
    &["migrate", "secret-provider-class", "@others.yaml", "--check"],
    &["migrate", "pod-identity", "@others.yaml"],
    &["migrate", "finalizers", "--dry-run"],
    &["completion", "bash"],
    &["completion", "kubectl"],
    &["__complete", "get", ""],
    &["__complete", "why", ""],
    &["crds"],
    &["docs", "conditions"],
];

/// Subcommands that are processes or worlds of their own, with tests of their own, and clap's.
const ELSEWHERE: [&str; 4] = ["certcontroller", "help", "sandbox", "webhook"];

async fn scene(folder: &Path) -> Scene {
    let scene = Scene::new("canary").await;
    let name = scene.name().to_owned();
    scene.set_secret("one", VALUE);
    scene.store().await;
    let mut example = scene.manifest("example", "1h", &[("a", "one")]);
    example["spec"]["target"]["template"] =
        json!({"metadata": {"annotations": {"of-a-template": "{{ .a }}"}}, "data": {"a": "{{ .a }}"}});
    scene.apply(example).await;
    // The error of a template may quote what it works on.
    let mut broken = scene.manifest("broken", "1h", &[("a", "one")]);
    broken["spec"]["target"]["template"] =
        json!({"data": {"a": "{{ .a | fromJson }}{{ .a.b.c }}{{ toDate \"x\" .a }}{{ fail .a }}"}});
    scene.apply(broken).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "principal"},
        "stringData": {"id": scene.application.client_id(), "secret": CREDENTIAL}});
    scene.apply(secret).await;
    let reference = |key: &str| json!({"name": "principal", "key": key});
    scene
        .apply(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "principal"},
            "spec": {"provider": {"azurekv": {"authType": "ServicePrincipal", "tenantId": scene.application.tenant().id(),
                "vaultUrl": scene.vault.url(), "authSecretRef": {"clientId": reference("id"), "clientSecret": reference("secret")}}}}}))
        .await;
    scene.apply(scene.manifest_for("SecretStore", "principal", "principal", "1h", &[("a", "one")])).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    for es in ["broken", "principal"] {
        let failed = |es: &Value| test_stage::cluster_access::condition(es, "Ready")["status"] == "False";
        scene.until("ExternalSecret", es, "failed", failed).await;
    }
    let write = |file: &str, text: String| std::fs::write(folder.join(file), text).unwrap();
    write("manifests.yaml", MANIFESTS.replace("STORE", &name).replace("CREDENTIAL", CREDENTIAL));
    write("others.yaml", OTHERS.to_owned());
    write("values.yaml", format!("one: {VALUE}\n"));
    scene
}

/// What `--output` of a command may be, as its help says it; nothing if it has no such flag.
async fn formats(scene: &Scene, words: &[&str]) -> Vec<String> {
    let depth = if words[0] == "migrate" { 2 } else { 1 };
    let help = Command::of(scene).run_as_is(&[&words[..depth], &["-h"]].concat()).await.text;
    let Some((_, help)) = help.split_once("--output <") else { return Vec::new() };
    let (_, values) = help.split_once("[possible values: ").expect("the help of --output names the formats");
    values.split(']').next().unwrap().split(", ").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_prints_a_value_in_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene(folder.path()).await;
    let target = scene.get("Secret", "example").await.unwrap();
    let hash =
        target["metadata"]["annotations"]["reconcile.external-secrets.io/data-hash"].as_str().unwrap().to_owned();
    let silent = |words: &[&str], run: &Run| {
        run.tells_none_of(&[VALUE, CREDENTIAL]);
        assert!(!run.text.contains(&hash) && !run.errors.contains(&hash), "{words:?} prints the hash of the data");
        assert!(!run.text.is_empty() || !run.errors.is_empty() || words[0] == "migrate", "{words:?} says nothing");
    };
    let mut ran = BTreeSet::new();
    for words in RUNS {
        let files: Vec<String> = words
            .iter()
            .map(|word| {
                word.strip_prefix('@')
                    .map_or_else(|| (*word).to_owned(), |file| folder.path().join(file).display().to_string())
            })
            .collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let needs_namespace = !["lint", "completion", "__complete", "crds", "docs"].contains(&words[0])
            && !["manifests", "stored-versions", "finalizers"].contains(words.get(1).unwrap_or(&""));
        let mut formats: Vec<Vec<String>> =
            formats(&scene, words).await.into_iter().map(|format| vec!["--output".to_owned(), format]).collect();
        if formats.is_empty() {
            formats.push(Vec::new());
        }
        for format in &formats {
            let arguments: Vec<&str> = files.iter().copied().chain(format.iter().map(String::as_str)).collect();
            let command = Command::of(&scene);
            let run = if needs_namespace { command.run(&arguments).await } else { command.run_as_is(&arguments).await };
            assert!(!run.errors.contains("Usage: "), "{arguments:?} is no command: {}", run.errors);
            silent(&arguments, &run);
        }
        ran.insert(words[0].to_owned());
    }
    // Each subcommand was run.
    let help = Command::of(&scene).run_as_is(&["--help"]).await.text;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let (listed, _) = listed.split_once("\n\n").unwrap();
    let names =
        listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    let missing: Vec<_> = names.filter(|name| !ran.contains(*name) && !ELSEWHERE.contains(name)).collect();
    assert!(missing.is_empty(), "these commands were not looked at: {missing:?}");
}
