//! Tenant boundaries: what somebody with write access to a single namespace can try, against the controller as the
//! chart deploys it, on a real API server. All attacks stay in place while the test checks everybody else.

mod attack;
mod hostile;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use external_secrets::api::v1::StoreKind;
use external_secrets::provider::StoreView;
use external_secrets::provider::azure::Options;
use external_secrets::sandbox::{Application, Effect, Fault, SecretPermission, Vault};
use external_secrets::validate;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};
use test_stage::cluster_access::{Access, DEADLINE, condition};
use test_stage::controller_process::Controller;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};
use test_stage::world::World;

use self::attack::{Attack, Seen, VaultFault};
use self::hostile::HostileHost;
use crate::deployed::Deployment;
use crate::helm::Tools;
use crate::synced::Synced;

/// Marks what only the victim or the platform may see.
const CANARY: &str = "canary-7d3a";
/// A tenant of Entra ID that answers no request.
const HANGING_TENANT: &str = "00000000-0000-4000-8000-00000000000e";
/// For this long.
const HANGING: std::time::Duration = std::time::Duration::from_mins(10);
/// A client certificate that demands six million rounds of hashing: `openssl pkcs12 -export -iter 3000000`.
const COSTLY_PFX: &[u8] = include_bytes!("costly.pfx");
/// The audience of the tokens with which the controller's own pod authenticates.
const OWN_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The API version of the generators.
const GENERATORS: &str = "generators.external-secrets.io/v1alpha1";

/// The cluster with its controller, the tenant whose neighbors attack, and the host to which they try to send things.
struct Stage {
    platform: Scene,
    own_identity: Application,
    /// Readable by the controller's own identity.
    platform_vault: Vault,
    deployment: Deployment,
    token_file: PathBuf,
    victim: Scene,
    bystander: BTreeMap<&'static str, Value>,
    hostile: HostileHost,
    hostile_vault: Vault,
}

impl Stage {
    async fn build() -> Self {
        let world = World::without_controller().await;
        let platform = Scene::on(world, "platform").await;
        // The controller serves all stores, as by default.
        let deployment = Deployment::apply(&platform, &["--set", "controllerClass="]);
        let subject = format!("system:serviceaccount:{}:{}", platform.name(), deployment.account);
        let own_identity = world
            .sandbox
            .default_tenant()
            .application("00000000-0000-4000-8000-0000000000ff")
            .federate(world.cluster.issuer_url(), &subject);
        let platform_vault = world.sandbox.vault("platform-vault").unwrap().allow(&own_identity, SecretPermission::Get);
        for name in ["own", "secret"] {
            platform_vault.set_secret(name, CANARY).unwrap();
        }
        let tools = Tools::of(&world.cluster);
        let token =
            ["create", "token", &deployment.account, "--namespace", platform.name(), "--audience", OWN_AUDIENCE];
        let token_file = world.cluster.directory().join("own-token");
        std::fs::write(&token_file, tools.kubectl(&token).unwrap().trim()).unwrap();

        world.sandbox.tenant(HANGING_TENANT).fault(Fault::latency(HANGING));
        let victim = Scene::on(world, "victim").await;
        let hostile_vault = world.sandbox.vault("hostile-vault").unwrap();
        let mut stage = Self {
            platform,
            own_identity,
            platform_vault,
            deployment,
            token_file,
            victim,
            bystander: BTreeMap::new(),
            hostile: HostileHost::listen().await,
            hostile_vault,
        };
        stage.settle_victim().await;
        stage
    }

    /// What the victim has, which its neighbors want.
    async fn settle_victim(&mut self) {
        let victim = &self.victim;
        victim.set_secret("secret", CANARY);
        victim.apply(victim.store_manifest("SecretStore", "theirs")).await;
        let mut store = victim.store_manifest("ClusterSecretStore", "for-the-victim");
        let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": victim.name()}});
        store["spec"]["conditions"] = json!([{"namespaces": [victim.name()]}, {"namespaceSelector": selector}]);
        victim.apply(store).await;
        victim
            .apply(victim.manifest_for("ClusterSecretStore", "for-the-victim", "victim", "1s", &[("value", "secret")]))
            .await;
        for kind in ["Secret", "ConfigMap"] {
            let data = if kind == "Secret" { "stringData" } else { "data" };
            let object = json!({
                "apiVersion": "v1", "kind": kind, "metadata": {"name": "bystander", "labels": {"of": "the-victim"}},
                data: {"value": CANARY},
            });
            self.bystander.insert(kind, victim.apply(object).await);
        }
    }

    /// Starts the controller under its own service account, with its pod's identity.
    async fn start(&self, log: &str) -> Controller {
        let tenant = self.own_identity.tenant();
        let environment = [
            ("AZURE_CLIENT_ID", self.own_identity.client_id()),
            ("AZURE_TENANT_ID", tenant.id()),
            ("AZURE_FEDERATED_TOKEN_FILE", self.token_file.to_str().unwrap()),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
        ];
        let arguments: Vec<_> = self.deployment.arguments.iter().map(String::as_str).collect();
        let kubeconfig = &self.deployment.kubeconfig;
        self.platform.world.start_controller_in(log, &arguments, kubeconfig, &environment).await
    }

    /// The names that `attacks.yaml` may use, for an attacker's namespace.
    async fn names(&self, tenant: &Scene) -> BTreeMap<&'static str, String> {
        let uid = |object: Option<Value>| object.unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        BTreeMap::from([
            ("ns", tenant.name().to_owned()),
            ("account", SERVICE_ACCOUNT.to_owned()),
            ("accountUid", uid(tenant.get("ServiceAccount", SERVICE_ACCOUNT).await)),
            ("vault", tenant.vault.url()),
            ("tenant", tenant.application.tenant().id().to_owned()),
            ("platform", self.platform.name().to_owned()),
            ("platformVault", self.platform_vault.url()),
            ("controller", self.deployment.account.clone()),
            ("victim", self.victim.name().to_owned()),
            ("victimVault", self.victim.vault.url()),
            ("victimClient", self.victim.application.client_id().to_owned()),
            ("ownHash", tenant.owner_hash("attack")),
            ("victimHash", self.victim.owner_hash("victim")),
            ("victimUid", uid(self.victim.get("ExternalSecret", "victim").await)),
            ("hostile", self.hostile.address()),
            ("hangingTenant", HANGING_TENANT.to_owned()),
            ("costlyPfx", STANDARD.encode(COSTLY_PFX)),
            ("long", "x".repeat(300_000)),
        ])
    }

    /// Checks that the victim's secrets still arrive, and change with the vault.
    async fn victim_goes_on(&self, name: &str) {
        let victim = &self.victim;
        victim.set_secret("secret", &format!("{CANARY} {name}"));
        victim.until_secret("victim", json!({"value": format!("{CANARY} {name}")})).await;
        victim.apply(victim.manifest_for("SecretStore", "theirs", name, "1h", &[("value", "secret")])).await;
        victim.until_secret(name, json!({"value": format!("{CANARY} {name}")})).await;
        for (kind, before) in &self.bystander {
            let after = victim.get(kind, "bystander").await.unwrap();
            assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "{kind}");
        }
    }

    /// Checks that nothing leaked.
    async fn nothing_came_out(&self, logs: &[&str]) {
        assert_eq!(self.hostile.connections(), 0, "nothing is sent to the hostile host");
        assert_eq!(self.hostile_vault.counters().requests, 0, "nothing is sent to another vault");
        assert_eq!(self.own_identity.counters().exchanges, 0, "the controller's own identity is not used");
        assert_eq!(self.platform_vault.counters().requests, 0, "nothing of the platform is read");
        let own = [self.victim.name(), self.platform.name()];
        for kind in ["Secret", "ConfigMap", "ExternalSecret", "SecretStore", "Event"] {
            for object in all_of(&self.victim, kind).await {
                let namespace = object["metadata"]["namespace"].as_str().unwrap();
                let text = serde_json::to_string(&readable(object.clone())).unwrap();
                assert!(own.contains(&namespace) || !text.contains(CANARY), "{kind} {text}");
                for message in messages(&object) {
                    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{kind}: {message:?}");
                }
            }
        }
        for log in logs {
            assert!(!log.contains(CANARY));
            // The process may be writing the last line.
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            for line in whole.lines() {
                let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert_ne!(parsed["message"], "forged-line", "{line}");
            }
        }
    }
}

/// All objects of a kind in the cluster.
async fn all_of(access: &Access, kind: &str) -> Vec<Value> {
    let version =
        if kind.ends_with("SecretStore") || kind == "ExternalSecret" { "external-secrets.io/v1" } else { "v1" };
    // One store is nested too deeply for this test's client.
    let (group, version_name) = version.split_once('/').unwrap_or(("", version));
    let path = if group.is_empty() { format!("/api/{version_name}") } else { format!("/apis/{group}/{version_name}") };
    let request = http::Request::get(format!("{path}/{}s", kind.to_lowercase())).body(Vec::new()).unwrap();
    let text = access.client.request_text(request).await.unwrap();
    let list: Items = serde_json::from_str(&text).unwrap();
    list.items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}

#[derive(serde::Deserialize)]
struct Items {
    items: Vec<Box<serde_json::value::RawValue>>,
}

/// Decodes the data of a Secret to text.
fn readable(mut object: Value) -> Value {
    if object["type"].is_string() && object["data"].is_object() {
        object["data"] = test_stage::cluster_access::decoded(&object);
    }
    object
}

/// The texts for people in an object: the message of an event, or those of conditions.
fn messages(object: &Value) -> Vec<String> {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let all = conditions.map(|condition| &condition["message"]).chain([&object["message"]]);
    all.filter_map(|message| message.as_str().map(ToOwned::to_owned)).collect()
}

/// An object from a row, completed with what is not worth repeating: `name` and `metadata`, a version, Key Vault's
/// fields in `azurekv`, and for an ExternalSecret the store `own`, an interval and an entry, or the generator that
/// `spec.generator` names.
fn manifest(row: &Value) -> Value {
    let mut object = row.clone();
    let fields = object.as_object_mut().unwrap();
    fields.remove("until");
    let name = fields.remove("name").unwrap_or_else(|| "attack".into());
    let kind = fields["kind"].as_str().unwrap().to_owned();
    let is_ours = kind.ends_with("SecretStore") || kind.ends_with("ExternalSecret");
    let version = match &*kind {
        _ if is_ours => "external-secrets.io/v1",
        "ACRAccessToken" | "ClusterGenerator" | "Password" | "SSHKey" | "UUID" => GENERATORS,
        _ => "v1",
    };
    fields.entry("apiVersion").or_insert_with(|| version.into());
    fields.entry("metadata").or_insert_with(|| json!({}))["name"] = name;
    let azurekv = fields.remove("azurekv");
    if let Some(given) = azurekv {
        let mut azurekv = json!({
            "authType": "WorkloadIdentity", "vaultUrl": "${vault}", "serviceAccountRef": {"name": SERVICE_ACCOUNT},
        });
        azurekv.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        azurekv.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        fields.entry("spec").or_insert_with(|| json!({}))["provider"] = json!({"azurekv": azurekv});
    }
    if kind == "ExternalSecret" {
        let spec = fields.entry("spec").or_insert_with(|| json!({})).as_object_mut().unwrap();
        if let Some(generator) = spec.remove("generator") {
            let mut reference = json!({"apiVersion": GENERATORS, "name": "attack"});
            reference.as_object_mut().unwrap().extend(generator.as_object().unwrap().clone());
            spec.insert("dataFrom".to_owned(), json!([{"sourceRef": {"generatorRef": reference}}]));
        }
        spec.entry("secretStoreRef").or_insert_with(|| json!({"name": "own"}));
        spec.entry("refreshInterval").or_insert_with(|| "1h".into());
        if !spec.contains_key("data") && !spec.contains_key("dataFrom") {
            spec.insert("data".to_owned(), json!([{"secretKey": "value", "remoteRef": {"key": "own"}}]));
        }
    }
    object
}

/// The kind that creates ExternalSecrets.
const PARENT: &str = "ClusterExternalSecret";

/// Fills in names.
fn filled(value: &Value, names: &BTreeMap<&'static str, String>) -> Value {
    let text = |text: &String| {
        names.iter().fold(text.clone(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    };
    match value {
        Value::String(value) => Value::String(text(value)),
        Value::Array(items) => items.iter().map(|item| filled(item, names)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (text(key), filled(value, names))).collect(),
        other => other.clone(),
    }
}

/// An object as it is sent. Serializing a value nested as deeply as an attack needs would crash this program.
fn text_of(object: &Value) -> String {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(3000), "}".repeat(3000));
    object.to_string().replace(r#""${deep}""#, &deep)
}

/// An API client of somebody who may write these kinds in one namespace.
async fn attacker(tenant: &Scene) -> Access {
    let rules = json!([
        {"apiGroups": [""], "resources": ["secrets", "configmaps", "serviceaccounts"], "verbs": ["*"]},
        {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets", "secretstores", "pushsecrets"], "verbs": ["*"]},
        {"apiGroups": ["generators.external-secrets.io"], "resources": ["acraccesstokens", "passwords", "sshkeys", "uuids"], "verbs": ["*"]},
    ]);
    let api = "rbac.authorization.k8s.io";
    tenant
        .apply(
            json!({"apiVersion": format!("{api}/v1"), "kind": "Role", "metadata": {"name": "tenant"}, "rules": rules}),
        )
        .await;
    tenant
        .apply(json!({
            "apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": {"name": "tenant"},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": "tenant"},
            "subjects": [{"apiGroup": api, "kind": "User", "name": tenant.name()}],
        }))
        .await;
    let client = tenant.world.client_as(tenant.name()).await;
    let access = Access { client, namespace: tenant.name().to_owned(), version: "external-secrets.io/v1" };
    // The API server learns about new rights through a watch.
    let has_rights = tokio::time::timeout(DEADLINE, async {
        while access.api("ExternalSecret").list(&ListParams::default()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    assert!(has_rights.await.is_ok(), "{} has no rights", tenant.name());
    access
}

/// Creates an object as `kubectl create` does: the API server drops unknown fields. Returns the refusal, if there is
/// one.
async fn create(access: &Access, object: &Value) -> Option<String> {
    let kind = object["kind"].as_str().unwrap();
    let api = access.api_in_version(object["apiVersion"].as_str().unwrap(), kind);
    let request = kube::core::Request::new(api.resource_url());
    let request = request.create(&PostParams::default(), text_of(object).into_bytes()).unwrap();
    match access.client.request_text(request).await {
        Ok(stored) => {
            let odd = "9999-12-31T23:59:59Z";
            assert!(stored.contains(odd) || !object.to_string().contains(odd), "the attack is none: {stored}");
            None
        }
        Err(kube::Error::Api(status)) => Some(format!("{} {}", status.code, status.message)),
        Err(error) => panic!("{}: {error}", object["kind"]),
    }
}

/// Changes an existing object: the attacker's namespace, or what a ClusterExternalSecret created.
async fn create_or_change(access: &Access, object: &Value) -> Option<String> {
    let kind = object["kind"].as_str().unwrap();
    if kind != "Namespace" {
        let refused = create(access, object).await;
        if !refused.as_ref().is_some_and(|refused| refused.starts_with("409")) {
            return refused;
        }
        access.merge(kind, object["metadata"]["name"].as_str().unwrap(), object.clone()).await;
        return None;
    }
    let refused = access.try_apply(object.clone()).await.err()?;
    Some(refused.to_string())
}

/// Makes a tenant's vault misbehave.
fn misbehave(stage: &Stage, tenant: &Scene, fault: VaultFault) {
    let elsewhere = stage.hostile_vault.url();
    let effect = match fault {
        VaultFault::NextLink => {
            // One more than fits on a page.
            for number in 0..26 {
                tenant.set_secret(&format!("s-{number}"), "value");
            }
            Effect::NextLink(format!("{elsewhere}/secrets?api-version=7.5"))
        }
        VaultFault::Redirect => Effect::Redirect(format!("{elsewhere}/secrets/own")),
        VaultFault::Endless => Effect::EndlessBody,
        VaultFault::Large => {
            for number in 0..300 {
                tenant.set_secret(&format!("s-{number}"), "value");
            }
            tenant.vault.fault(Fault::new(Effect::LargeValue(900_000)).on("GetSecret"));
            return;
        }
        VaultFault::Hangs => Effect::Latency(HANGING),
    };
    tenant.vault.fault(Fault::new(effect));
}

/// Tries one attack in a namespace of its own.
async fn try_attack(stage: &Stage, row: &Attack) {
    let tenant = Scene::on(stage.platform.world, &row.name).await;
    tenant.set_secret("own", "own value");
    tenant.vault.clone().allow(&tenant.application, SecretPermission::List);
    let names = stage.names(&tenant).await;
    let prepared = |row: &Value| filled(&manifest(row), &names);
    tenant.apply(tenant.store_manifest("SecretStore", "own")).await;
    let is_ready = |store: &Value| condition(store, "Ready")["status"] == "True";
    tenant.until("SecretStore", "own", "ready", is_ready).await;
    for given in &row.given {
        tenant.apply(prepared(given)).await;
        if let Some(secret) = given["until"].as_str() {
            tenant.until("Secret", secret, "there", |_| true).await;
        }
        if given["kind"] == PARENT {
            let given = prepared(given);
            let name = given["metadata"]["name"].as_str().unwrap();
            let said = |object: &Value| object["status"]["provisionedNamespaces"] == given["spec"]["namespaces"];
            tenant.until(PARENT, name, "provisioned", said).await;
        }
    }
    if let Some(fault) = row.vault {
        misbehave(stage, &tenant, fault);
    }

    let access = attacker(&tenant).await;
    let mut refused = None;
    let objects: Vec<_> = row.manifests.iter().map(prepared).collect();
    for object in &objects {
        assert_eq!(refused, None, "{}: only the last manifest may be refused", row.name);
        refused = create_or_change(&access, object).await;
    }
    for later in &row.later {
        tenant.apply(prepared(later)).await;
    }
    let seen = |text: &String| filled(&Value::from(text.clone()), &names).as_str().unwrap().to_owned();
    match &row.seen {
        Seen::Denied { denied, checked } => {
            let refused = refused.unwrap_or_else(|| panic!("{}: the API server takes it", row.name));
            assert!(refused.contains(&seen(denied)), "{}: {refused}", row.name);
            if let Some(words) = checked {
                let problems = problems(objects.last().unwrap(), tenant.name());
                assert!(problems.contains(words), "{}: {problems}", row.name);
            }
        }
        Seen::MayNot { may_not } => {
            let account = format!("system:serviceaccount:{}:external-secrets-cert-controller", stage.platform.name());
            for action in may_not {
                may_not_do(stage, &account, &seen(action));
            }
        }
        Seen::Parent { parent, failed, gone } => {
            assert_eq!(refused, None, "{}", row.name);
            let last = objects.last().unwrap();
            let name = last["metadata"]["name"].as_str().unwrap();
            let own = (failed.is_none() && !gone).then(|| tenant.name());
            let mut provisioned: Vec<_> = own.into_iter().chain([stage.victim.name()]).collect();
            provisioned.sort_unstable();
            let failed: Vec<_> =
                failed.iter().map(|reason| json!({"namespace": tenant.name(), "reason": reason})).collect();
            let is_said = |object: &Value| {
                let status = &object["status"];
                status["provisionedNamespaces"] == json!(provisioned)
                    && status["failedNamespaces"].as_array().cloned().unwrap_or_default() == failed
            };
            tenant.until(PARENT, &seen(parent), &row.name, is_said).await;
            match (gone, own) {
                (true, _) => tenant.until_gone("ExternalSecret", name).await,
                (false, Some(_)) => {
                    let store = json!({"name": "for-the-victim", "kind": "ClusterSecretStore"});
                    let is_put_right = |child: &Value| child["spec"]["secretStoreRef"] == store;
                    tenant.until("ExternalSecret", name, "put right", is_put_right).await;
                }
                (false, None) => {}
            }
        }
        Seen::Children { child, ready } => {
            assert_eq!(refused, None, "{}", row.name);
            for (namespace, ready) in ready {
                let access = Access {
                    client: tenant.client.clone(),
                    namespace: seen(namespace),
                    version: "external-secrets.io/v1",
                };
                let is_said = |object: &Value| condition(object, "Ready")["status"] == *ready;
                access.until("ExternalSecret", &seen(child), &row.name, is_said).await;
            }
        }
        Seen::Ready { ready, says, event } => {
            assert_eq!(refused, None, "{}", row.name);
            let last = objects.last().unwrap();
            let (kind, name) = (last["kind"].as_str().unwrap(), last["metadata"]["name"].as_str().unwrap());
            let says: Vec<_> = says.iter().map(seen).collect();
            until_ready_is(&tenant, kind, name, ready, &says).await;
            if let Some(words) = event {
                tenant.until_event_has(name, &seen(words)).await;
            }
        }
    }
}

/// The problems found by the checks that the webhook and the controllers share.
fn problems(object: &Value, namespace: &str) -> String {
    let found = if object["kind"] == "ExternalSecret" {
        validate::external_secret::check(&serde_json::from_value(object["spec"].clone()).unwrap())
    } else {
        let spec = serde_json::from_value(object["spec"].clone()).unwrap();
        let view = StoreView { kind: StoreKind::SecretStore, namespace: Some(namespace), name: "attack", spec: &spec };
        validate::secret_store::check(&view, &Options::default())
    };
    validate::sentences(&found)
}

/// Waits for an object's Ready condition. It reads nothing but the status, since the rest may be nested deeply.
async fn until_ready_is(tenant: &Scene, kind: &str, name: &str, status: &str, says: &[String]) {
    #[derive(serde::Deserialize)]
    struct Object {
        #[serde(default)]
        status: Value,
    }
    let path = format!("{}/{name}", tenant.api(kind).resource_url());
    let mut last = Value::Null;
    let found = tokio::time::timeout(DEADLINE, async {
        loop {
            let text = tenant.client.request_text(http::Request::get(&path).body(Vec::new()).unwrap()).await.unwrap();
            last = condition(&json!({"status": serde_json::from_str::<Object>(&text).unwrap().status}), "Ready");
            let message = last["message"].as_str().unwrap_or_default();
            if last["status"] == *status && says.iter().all(|words| message.contains(words)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let found = found.await.is_ok();
    assert!(found, "{kind} {name} in {} did not become Ready={status} {says:?}\nlast seen: {last:#}", tenant.name());
}

/// Panics if `kubectl auth can-i` says yes.
fn may_not_do(stage: &Stage, account: &str, action: &str) {
    let tools = Tools::of(&stage.platform.world.cluster);
    let as_account = format!("--as={account}");
    let mut arguments = vec!["auth", "can-i", &as_account];
    arguments.extend(action.split(' '));
    let answer = tools.kubectl(&arguments).unwrap_err();
    assert!(answer.lines().any(|line| line == "no" || line.starts_with("no - ")), "{action}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_gets_out_of_the_own_namespace() {
    let stage = std::sync::Arc::new(Stage::build().await);
    let controller = stage.start("attacked").await;
    stage.victim.until_secret("victim", json!({"value": CANARY})).await;

    let rows = attack::all();
    assert!(rows.len() > 50);
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(8));
    let tries: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let (stage, places) = (std::sync::Arc::clone(&stage), std::sync::Arc::clone(&places));
            tokio::spawn(async move {
                let _place = places.acquire().await.unwrap();
                try_attack(&stage, &row).await;
            })
        })
        .collect();
    let mut succeeded = Vec::new();
    for one in tries {
        if let Err(error) = one.await {
            let reason = error.into_panic();
            succeeded.push(reason.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned()));
        }
    }
    assert!(
        succeeded.is_empty(),
        "{} attacks were not refused as they should:\n{}",
        succeeded.len(),
        succeeded.join("\n\n")
    );

    // With all attacks in place, and after a restart among them.
    stage.victim_goes_on("during").await;
    let first = controller.log();
    controller.kill().await;
    let again = stage.start("attacked-again").await;
    stage.victim_goes_on("after").await;
    stage.nothing_came_out(&[&first, &again.log()]).await;
}
