//! `external-secrets plan` against a real API server: it tells what the controller would do, and does nothing.

mod push_secrets;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use external_secrets::sandbox::{Application, SecretPermission, SecretProperties};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::generators::{entry, generator, synced};

/// How a run ended, and what it printed.
struct Run {
    code: i32,
    text: String,
    errors: String,
}

/// A run of the command in the namespace of a scene.
struct Plan<'a> {
    scene: &'a Scene,
    kubeconfig: PathBuf,
    input: String,
    environment: Vec<(&'static str, String)>,
}

impl<'a> Plan<'a> {
    fn of(scene: &'a Scene) -> Self {
        let kubeconfig = scene.kubeconfig().to_owned();
        Self { scene, kubeconfig, input: String::new(), environment: Vec::new() }
    }

    fn through(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), ..self }
    }

    /// Passes manifests on standard input.
    fn with(self, manifests: &[&Value]) -> Self {
        let documents: Vec<String> = manifests.iter().map(|manifest| format!("---\n{manifest}\n")).collect();
        let input = documents.concat();
        Self { input, ..self }
    }

    fn environment(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    async fn run(self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_external-secrets"));
        command
            .arg("plan")
            .args(if arguments.contains(&"-A") { vec![] } else { vec!["--namespace", self.scene.name()] })
            .args(if self.input.is_empty() { &[][..] } else { &["-f", "-"] })
            .args(arguments)
            .envs(self.scene.world.sandbox.environment())
            .env("KUBECONFIG", &self.kubeconfig)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), self.input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), text: text(output.stdout), errors: text(output.stderr) }
    }
}

impl Run {
    /// Panics unless the run ended with this code and printed lines that contain these texts, in this order.
    #[track_caller]
    fn says(&self, code: i32, texts: &[&str]) {
        let mut lines = self.text.lines();
        for text in texts {
            assert!(lines.any(|line| line.contains(text)), "{text} is missing in:\n{}\n{}", self.text, self.errors);
        }
        assert_eq!(self.code, code, "{}\n{}", self.text, self.errors);
    }

    /// Panics if the output contains one of the values.
    #[track_caller]
    fn tells_none_of(&self, values: &[&str]) {
        use base64::Engine as _;
        for value in values {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value);
            for printed in [&self.text, &self.errors] {
                assert!(!printed.contains(value) && !printed.contains(&encoded), "{value} is told:\n{printed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_would_be_made_and_changed_and_writes_nothing() {
    let scene = Scene::new("planned").await;
    let name = scene.name();
    scene.set_secret("one", "first");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("value", "one"), ("gone", "one")]);
    manifest["metadata"]["labels"] = json!({"team": "a"});
    scene.apply(manifest.clone()).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let plan = || Plan::of(&scene).through(&proxy.kubeconfig);

    let same = format!("ExternalSecret {name}/example: its Secret is up to date; next refresh at 20");
    plan().run(&[]).await.says(0, &[&same, "Plan: 0 to create, 0 to change, 0 to delete; 1 unchanged, 0 refused."]);

    // The vault has another value, which the controller will see at the next refresh.
    scene.set_secret("one", "the second value");
    let run = plan().run(&["example"]).await;
    let changed = format!("~ Secret {name}/example would be changed by ExternalSecret {name}/example, at 20");
    run.says(2, &[&changed, "    ~ data.gone: (5 bytes, hash ", "    ~ data.value: (5 bytes, hash ", "1 to change"]);
    run.tells_none_of(&["first", "the second value"]);

    // Manifests that are not applied: one new, one changed.
    let new = scene.manifest("new", "1h", &[("value", "one")]);
    manifest["metadata"]["labels"] = json!({"team": "b"});
    manifest["spec"]["data"] = json!([{"secretKey": "value", "remoteRef": {"key": "one"}}]);
    let run = plan().with(&[&new, &manifest]).run(&[]).await;
    run.says(
        2,
        &[
            &format!("~ Secret {name}/example would be changed by ExternalSecret {name}/example"),
            "    ~ labels.team: (1 byte, hash ",
            "    - data.gone: (5 bytes, hash ",
            "    ~ data.value: (5 bytes, hash ",
            &format!("+ Secret {name}/new would be created by ExternalSecret {name}/new"),
            "    + type: \"Opaque\"",
            "    + labels[\"reconcile.external-secrets.io/managed\"]: \"true\"",
            "    + data.value: (16 bytes, hash ",
            "Plan: 1 to create, 1 to change, 0 to delete; 0 unchanged, 0 refused.",
        ],
    );
    run.tells_none_of(&["first", "the second value"]);

    let run = plan().run(&["--show-values", "--color"]).await;
    run.says(2, &["\u{1b}[33m~ Secret", "data.value: \"first\" -> \"the second value\"\u{1b}[0m"]);

    assert_eq!(proxy.writes(), 0);
    let reads = ["get ", "list ", "create /serviceaccounts/token"];
    let rights = proxy.rights();
    assert!(rights.iter().all(|right| reads.iter().any(|read| right.starts_with(read))), "{rights:?}");
    assert!(rights.contains("create /serviceaccounts/token") && rights.contains("get /secrets"), "{rights:?}");
    assert_eq!(scene.get("ExternalSecret", "new").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_all_namespaces_can_be_narrowed_by_labels() {
    let world = World::without_controller().await;
    let scenes = [Scene::on(world, "here").await, Scene::on(world, "there").await];
    for scene in &scenes {
        scene.set_secret("one", "first");
        scene.store().await;
        let mut manifest = scene.manifest("example", "1h", &[("value", "one")]);
        manifest["metadata"]["labels"] = json!({"of": scene.name()});
        scene.apply(manifest).await;
    }
    let [here, there] = scenes.each_ref().map(|scene| format!("+ Secret {}/example would be created", scene.name()));
    let everywhere = Plan::of(&scenes[0]).run(&["-A", "--enable-flood-gate=false"]).await;
    everywhere.says(2, &[&here, &there, "Plan: 2 to create, 0 to change, 0 to delete; 0 unchanged, 0 refused."]);
    let label = format!("of={}", scenes[1].name());
    let narrowed = Plan::of(&scenes[0]).run(&["-A", "-l", &label, "--enable-flood-gate=false"]).await;
    narrowed.says(2, &[&there, "Plan: 1 to create, 0 to change, 0 to delete; 0 unchanged, 0 refused."]);
    assert!(!narrowed.text.contains(&here), "{}", narrowed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_would_be_deleted_and_why() {
    let scene = Scene::new("deletions").await;
    let name = scene.name();
    scene.set_secret("stays", "a");
    scene.set_secret("goes", "b");
    scene.store().await;
    let mut renamed = scene.manifest("renamed", "1h", &[("value", "stays")]);
    scene.apply(renamed.clone()).await;
    let mut gone = scene.manifest("gone", "1h", &[("value", "goes")]);
    gone["spec"]["target"]["deletionPolicy"] = "Delete".into();
    scene.apply(gone).await;
    for external_secret in ["renamed", "gone"] {
        scene.until_ready(external_secret, "True", "SecretSynced", "secret synced").await;
    }
    scene.vault.delete_secret("goes").unwrap();
    let run = Plan::of(&scene).run(&["gone"]).await;
    run.says(
        2,
        &[
            &format!("- Secret {name}/gone would be deleted by ExternalSecret {name}/gone, at 20"),
            "Plan: 0 to create, 0 to change, 1 to delete; 0 unchanged, 0 refused.",
        ],
    );
    assert!(
        run.text.contains("its values no longer exist at the provider, and deletionPolicy is Delete"),
        "{}",
        run.text
    );

    renamed["spec"]["target"]["name"] = "another".into();
    let run = Plan::of(&scene).with(&[&renamed]).run(&["--output=json"]).await;
    assert_eq!(run.code, 2, "{}", run.errors);
    let plan: Value = serde_json::from_str(&run.text).unwrap();
    let found = &plan["externalSecrets"][0];
    assert_eq!((&found["name"], &found["action"]), (&json!("renamed"), &json!("create")));
    assert_eq!(found["target"], json!({"kind": "Secret", "name": "another"}));
    let stale =
        json!([{"kind": "Secret", "name": "renamed", "reason": "it has an earlier target name of the ExternalSecret"}]);
    assert_eq!(found["deletions"], stale);
    assert_eq!(found["condition"]["reason"], "SecretSynced");
    assert_eq!(plan["summary"], json!({"create": 1, "update": 0, "delete": 1, "unchanged": 0, "refused": 0}));
    assert!(scene.secret_data("renamed").await.is_some() && scene.secret_data("gone").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_other_than_a_secret_is_planned_only_for_a_controller_that_writes_it() {
    let scene = Scene::new("planned-kinds").await;
    let name = scene.name();
    scene.set_secret("one", "1");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("value", "one")]);
    manifest["spec"]["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let refused = format!(
        "! ExternalSecret {name}/example: SecretSyncedError: invalid generic target: spec.target.manifest: generic targets \
         are disabled; start the controller with --unsafe-allow-generic-targets"
    );
    let nothing = "Plan: 0 to create, 0 to change, 0 to delete; 0 unchanged, 1 refused.";
    Plan::of(&scene).with(&[&manifest]).run(&[]).await.says(1, &[&refused, nothing]);

    let allowed = || Plan::of(&scene).with(&[&manifest]);
    let created = format!("+ ConfigMap {name}/example would be created by ExternalSecret {name}/example");
    allowed().run(&["--unsafe-allow-generic-targets"]).await.says(2, &[&created, "1 to create"]);
    scene.apply(manifest.clone()).await;
    scene.until_ready("example", "True", "ResourceSynced", "secret synced").await;
    let same = format!("ExternalSecret {name}/example: its ConfigMap is up to date");
    Plan::of(&scene).run(&["--unsafe-allow-generic-targets"]).await.says(0, &[&same, "1 unchanged, 0 refused."]);

    // Stores of a kind that this controller ignores.
    let left = format!("ExternalSecret {name}/example: ");
    let alone = ["--enable-secret-store-reconciler=false", "--enable-cluster-store-reconciler=false"];
    let run = Plan::of(&scene).run(&["--unsafe-allow-generic-targets", alone[0], alone[1]]).await;
    run.says(0, &[&left, "0 to create, 0 to change, 0 to delete; 1 unchanged, 0 refused."]);
    assert!(run.text.contains("a kind that this controller ignores"), "{}", run.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_being_deleted_is_left_alone_even_if_its_spec_cannot_be_read() {
    let scene = Scene::new("planned-deletion").await;
    let name = scene.name();
    scene.store().await;
    let mut manifest = scene.manifest("example", "bogus", &[("value", "one")]);
    manifest["metadata"]["finalizers"] = json!(["example.com/kept"]);
    scene.apply(manifest).await;
    Plan::of(&scene).run(&[]).await.says(1, &["spec.refreshInterval: \"bogus\" is not a duration", "1 refused."]);
    scene.delete("ExternalSecret", "example").await;
    let is_going = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
    scene.until("ExternalSecret", "example", "being deleted", is_going).await;

    let run = Plan::of(&scene).run(&[]).await;
    run.says(0, &[&format!("ExternalSecret {name}/example: "), "1 unchanged, 0 refused."]);
    assert!(run.text.contains("it is being deleted, together with what it owns"), "{}", run.text);
    scene.merge("ExternalSecret", "example", json!({"metadata": {"finalizers": null}})).await;
    scene.until_gone("ExternalSecret", "example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_controller_would_refuse_is_told_in_the_words_of_its_condition() {
    let scene = Scene::new("refusals").await;
    let name = scene.name();
    scene.set_secret("one", "1");
    scene.store().await;
    scene.external_secret("first", "1h", &[("value", "one")]).await;
    scene.until_ready("first", "True", "SecretSynced", "secret synced").await;
    let mut second = scene.manifest("second", "1h", &[("value", "one")]);
    second["spec"]["target"]["name"] = "first".into();
    let absent = scene.manifest("absent", "1h", &[("value", "none")]);
    let lost = scene.manifest_for("ClusterSecretStore", "nowhere", "lost", "1h", &[("value", "one")]);
    Plan::of(&scene).with(&[&second, &absent, &lost]).run(&[]).await.says(
        1,
        &[
            &format!("! ExternalSecret {name}/absent: SecretSyncedError: could not get secret data from provider: spec.data[0]"),
            &format!("! ExternalSecret {name}/lost: SecretSyncedError: could not get secret data from provider: ClusterSecretStore \"nowhere\" does not exist"),
            &format!("! ExternalSecret {name}/second: SecretSyncedError: target is owned by another ExternalSecret: Secret \"first\" belongs"),
            "Plan: 0 to create, 0 to change, 0 to delete; 0 unchanged, 3 refused.",
        ],
    );
    // Requests that cannot be answered at all get one sentence.
    for (run, code, said) in [
        (
            Plan::of(&scene).run(&["nobody"]).await,
            1,
            format!("there is no ExternalSecret or PushSecret \"nobody\" in namespace \"{name}\""),
        ),
        (Plan::of(&scene).run(&["--no-such-flag"]).await, 1, "unexpected argument '--no-such-flag'".to_owned()),
        (
            Plan::of(&scene).with(&[&json!({"kind": "ExternalSecret"})]).run(&[]).await,
            1,
            "standard input, line 2: ExternalSecret \"\": apiVersion: it is missing".to_owned(),
        ),
        (Plan::of(&scene).run(&["--context=nowhere"]).await, 1, "the kubeconfig cannot be used".to_owned()),
    ] {
        assert!(run.code == code && run.errors.contains(&said), "{}: {}", run.code, run.errors);
        assert!(run.text.is_empty(), "{}", run.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_needs_only_the_rights_of_its_caller_and_says_which_are_missing() {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let scene = Scene::new("rights").await;
    scene.set_secret("one", "1");
    scene.store().await;
    let allow = |resources: Value, verbs: Value| json!({"apiGroups": ["", "external-secrets.io"], "resources": resources, "verbs": verbs});
    let role = |rules: &[Value]| json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": scene.name()}, "rules": rules});
    let read = ["externalsecrets", "secretstores", "clustersecretstores", "secrets", "serviceaccounts"];
    let read = allow(json!(read), json!(["get", "list"]));
    scene.apply(role(std::slice::from_ref(&read))).await;
    let group = "rbac.authorization.k8s.io";
    scene
        .apply(json!({
            "apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": scene.name()},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": scene.name()},
            "subjects": [{"apiGroup": group, "kind": "User", "name": scene.name()}],
        }))
        .await;
    let mut config = kube::config::Kubeconfig::read_from(scene.kubeconfig()).unwrap();
    config.auth_infos[0].auth_info.as_mut().unwrap().impersonate = Some(scene.name().to_owned());
    let kubeconfig = scene.world.cluster.directory().join(format!("kubeconfig-of-{}", scene.name()));
    std::fs::write(&kubeconfig, serde_json::to_string(&config).unwrap()).unwrap();
    let manifest = scene.manifest("example", "1h", &[("value", "one")]);
    let plan = || Plan::of(&scene).through(&kubeconfig).with(&[&manifest]).run(&[]);

    let account =
        format!("you may not create a token for service account \"azure-key-vault\" in namespace \"{}\"", scene.name());
    let deadline = tokio::time::Instant::now() + test_stage::cluster_access::DEADLINE;
    // The API server takes a moment to see a new binding.
    let mut run = plan().await;
    while !run.text.contains(&account) && tokio::time::Instant::now() < deadline {
        run = plan().await;
    }
    run.says(1, &[&account]);
    scene.apply(role(&[read, allow(json!(["serviceaccounts/token"]), json!(["create"]))])).await;
    while run.code != 2 && tokio::time::Instant::now() < deadline {
        run = plan().await;
    }
    run.says(2, &["would be created"]);
}

/// An application with a client secret that may read the vault and that the service account does not know.
fn caller(scene: &Scene) -> Application {
    let caller = scene.application.tenant().application(&format!("caller-{}", scene.name()));
    let caller = caller.add_client_secret("caller's secret", None);
    scene.vault.allow(&caller, SecretPermission::Get);
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_is_read_as_the_caller_on_request() {
    let scene = Scene::new("as-caller").await;
    scene.set_secret("one", "1");
    scene.store().await;
    // Only the caller may read.
    scene.vault.revoke(&scene.application);
    let caller = caller(&scene);
    let manifest = scene.manifest("example", "1h", &[("value", "one")]);
    let plan = || Plan::of(&scene).with(&[&manifest]);

    let by_environment = plan()
        .environment("AZURE_CLIENT_ID", caller.client_id())
        .environment("AZURE_TENANT_ID", caller.tenant().id())
        .environment("AZURE_CLIENT_SECRET", "caller's secret");
    by_environment.run(&["--azure-identity=caller"]).await.says(2, &["would be created", "data.value: (1 byte"]);
    assert_eq!(caller.counters().exchanges, 1);

    // A user who is logged in with the Azure CLI.
    let folder = scene.world.cluster.directory().join(format!("bin-of-{}", scene.name()));
    std::fs::create_dir(&folder).unwrap();
    let token =
        json!({"accessToken": token_of(&scene, &caller).await, "expires_on": 4_000_000_000_u64, "tokenType": "Bearer"});
    put_program(&folder.join("az"), &format!("echo '{token}'"));
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let logged_in = plan().environment("PATH", &path).run(&["--azure-identity=caller"]).await;
    logged_in.says(2, &["would be created", "data.value: (1 byte"]);
    logged_in.tells_none_of(&["eyJ"]);

    put_program(&folder.join("az"), "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let logged_out = plan().environment("PATH", &path).run(&["--azure-identity=caller"]).await;
    let said = "could not get a token with your own identity (az: ERROR: Please run 'az login' to setup account.; azd: azd not found on PATH): log in with az login";
    logged_out.says(1, &[said]);
}

/// A token for vaults.
async fn token_of(scene: &Scene, application: &Application) -> String {
    let ca = reqwest::Certificate::from_pem(scene.world.sandbox.ca_bundle().as_bytes()).unwrap();
    let proxy = reqwest::Proxy::https(scene.world.sandbox.proxy_url()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).proxy(proxy).build().unwrap();
    let form = [
        ("client_id", application.client_id()),
        ("client_secret", "caller's secret"),
        ("grant_type", "client_credentials"),
        ("scope", "https://vault.azure.net/.default"),
    ];
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", application.tenant().id());
    let request = client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn put_program(path: &Path, script: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_only_when_asked_for_is_planned_only_when_asked_for() {
    let scene = Scene::new("on-change").await;
    scene.set_secret("one", "1");
    scene.store().await;
    scene.external_secret("example", "0", &[("value", "one")]).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene.set_secret("one", "2");
    scene.set_secret("two", "x");
    Plan::of(&scene)
        .run(&[])
        .await
        .says(0, &["nothing is due; next refresh not before the ExternalSecret or the target changes"]);
    Plan::of(&scene).run(&["--force-sync"]).await.says(2, &["~ Secret", "~ data.value", "1 to change"]);

    // A template in a ConfigMap from a manifest is rendered right away.
    let config_map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"}, "data": {"value": text}});
    scene.apply(config_map("a {{ .value }}")).await;
    let mut templated = scene.manifest("templated", "0", &[("value", "two")]);
    templated["spec"]["target"]["template"] =
        json!({"templateFrom": [{"configMap": {"name": "templates", "items": [{"key": "value"}]}}]});
    scene.apply(templated.clone()).await;
    scene.until_ready("templated", "True", "SecretSynced", "secret synced").await;
    let run = Plan::of(&scene).with(&[&templated, &config_map("b {{ .value }}!")]).run(&["--show-values"]).await;
    run.says(2, &["~ data.value: \"a x\" -> \"b x!\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_generates_nothing_and_says_which_values_would_be() {
    let scene = Scene::new("planned-minted").await;
    generator(&scene, "Password", "p", json!({})).await;
    generator(&scene, "UUID", "u", json!({})).await;
    let manifest = |entries: &[Value]| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "example"},
            "spec": {"refreshInterval": "1h", "dataFrom": entries},
        })
    };
    scene.apply(manifest(&[entry("Password", "p", "")])).await;
    let before = synced(&scene, "example").await;
    let secret = scene.get("Secret", "example").await.unwrap();
    let password = before["password"].as_str().unwrap();

    let more = manifest(&[entry("Password", "p", ""), entry("UUID", "u", "")]);
    let run = Plan::of(&scene).with(&[&more]).run(&["--show-values"]).await;
    run.says(2, &["+ data.uuid: ", "1 to change"]);
    assert!(run.text.contains("<generated by uuids.generators.external-secrets.io"), "{}", run.text);
    assert!(!run.text.contains("data.password"), "the password stays: {}", run.text);
    let run = Plan::of(&scene).run(&["--force-sync"]).await;
    run.says(2, &["~ data.password", "1 to change"]);
    run.tells_none_of(&[password]);
    assert_eq!(scene.get("Secret", "example").await.unwrap(), secret, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_properties_and_tags_are_read_from_the_vault_and_from_a_file_alike() {
    let scene = Scene::new("references").await;
    let tags = Some([("env".to_owned(), "prod".to_owned())].into());
    let properties = SecretProperties { tags, ..SecretProperties::default() };
    let version = scene.vault.set_secret_with("one", r#"{"foo.json":"bar"}"#, properties.clone()).unwrap();
    scene.vault.set_secret_with("one", "{}", properties).unwrap();
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("pinned", "one"), ("tag", "one")]);
    manifest["spec"]["data"][0]["remoteRef"] = json!({"key": "one", "version": version, "property": "foo.json"});
    manifest["spec"]["data"][1]["remoteRef"] = json!({"key": "one", "metadataPolicy": "Fetch", "property": "env"});
    let values = scene.world.cluster.directory().join(format!("values-of-{}.yaml", scene.name()));
    std::fs::write(&values, "one: {foo.json: bar}\none.tags: {env: prod}\n").unwrap();
    for from in [&[][..], &["--values", values.to_str().unwrap()]] {
        let run = Plan::of(&scene).with(&[&manifest]).run(&[&["--show-values"], from].concat()).await;
        run.says(2, &["would be created", "+ data.pinned: \"bar\"", "+ data.tag: \"prod\""]);
    }

    // It refuses what the API server would refuse.
    manifest["spec"]["target"]["template"] = json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "{{ .pinned }}"}});
    let said = "would be of the type \"kubernetes.io/tls\", which needs the key \"tls.key\"";
    Plan::of(&scene).with(&[&manifest]).run(&[]).await.says(1, &[said]);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_cluster_external_secret_it_tells_each_namespace_that_changes_and_why_others_do_not() {
    let scene = Scene::new("plan-ces").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let place = |team: &str| format!("{}-{team}", scene.name());
    for team in ["free", "taken"] {
        let metadata = json!({"name": place(team), "labels": {"scene": scene.name()}});
        scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    let spec = scene.manifest("unused", "1h", &[("greeting", "greeting")])["spec"].clone();
    let mut template = spec.clone();
    template["target"] = json!({});
    let parent = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": scene.name()},
        "spec": {"namespaceSelectors": [{"matchLabels": {"scene": scene.name()}}], "externalSecretSpec": template},
    });
    let own = test_stage::cluster_access::Access { namespace: place("taken"), ..(*scene).clone() };
    let mut taken = scene.manifest(scene.name(), "1h", &[("own", "greeting")]);
    taken["spec"]["target"] = json!({});
    own.apply(taken).await;
    let Run { code, text, errors } = Plan::of(&scene).with(&[&parent]).run(&[]).await;
    assert_eq!((code, errors.as_str()), (1, ""), "{text}");
    let (name, free) = (scene.name(), place("free"));
    for line in [
        format!("+ ExternalSecret {free}/{name} would be created by ClusterExternalSecret {name}"),
        format!("! ClusterExternalSecret {name}: {}: external secret already exists in namespace", place("taken")),
        format!("+ Secret {free}/{name} would be created by ExternalSecret {free}/{name}"),
        "Plan: 2 to create, 0 to change, 0 to delete; 0 unchanged, 1 refused.".to_owned(),
    ] {
        assert!(text.contains(&line), "{line:?} is not in\n{text}");
    }
    // A child that exists and is no longer selected.
    scene.apply(parent.clone()).await;
    let made = test_stage::cluster_access::Access { namespace: free.clone(), ..(*scene).clone() };
    made.until_secret(name, json!({"greeting": "hello"})).await;
    scene.merge("Namespace", &place("taken"), json!({"metadata": {"labels": {"scene": null}}})).await;
    let Run { code, text, .. } = Plan::of(&scene).with(&[&parent]).run(&[]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("  ClusterExternalSecret {name}: 1 of its namespaces is up to date")), "{text}");
    let mut changed = parent.clone();
    changed["spec"]["namespaceSelectors"] = json!([]);
    let Run { code, text, .. } = Plan::of(&scene).with(&[&changed]).run(&[]).await;
    assert_eq!(code, 2, "{text}");
    let line = format!(
        "- ExternalSecret {free}/{name} would be deleted by ClusterExternalSecret {name}: its namespace is no longer selected"
    );
    assert!(text.contains(&line), "{text}");
    scene.delete("ClusterExternalSecret", name).await;
}
