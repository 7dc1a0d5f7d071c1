//! Every other kind, served from a Pod with the chart's own rights. If the chart's role lacks one, only this shows it.

use azure_sandbox::{ObjectKind, RegistryRole, SecretPermission};
use serde_json::{Value, json};

use crate::azure::{Azure, external_secret};
use crate::cluster::{DEPLOYMENTS, Node, until};

const GENERATORS: &str = "generators.external-secrets.io/v1alpha1";
/// The generators' service account, and its namespace.
const ACCOUNT: &str = "reader";
const NAMESPACE: &str = "default";

fn namespace(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn secret(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "stringData": {"password": value},
    })
}

/// A generator named after its kind; one of the cluster has no namespace.
fn generator(kind: &str, spec: &Value) -> Value {
    let mut object =
        json!({"apiVersion": GENERATORS, "kind": kind, "metadata": {"name": kind.to_lowercase()}, "spec": spec});
    if kind != "ClusterGenerator" {
        object["metadata"]["namespace"] = NAMESPACE.into();
    }
    object
}

/// A reference to that generator.
fn reference(kind: &str) -> Value {
    json!({"apiVersion": GENERATORS, "kind": kind, "name": kind.to_lowercase()})
}

/// The ExternalSecret of that generator, with the same name.
fn generated(kind: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": kind.to_lowercase(), "namespace": NAMESPACE},
        "spec": {"refreshInterval": "1h", "dataFrom": [{"sourceRef": {"generatorRef": reference(kind)}}]},
    })
}

/// The spec of a PushSecret that pushes `password` to the vault, and deletes it there when it is deleted.
fn push(store_kind: &str, selector: &Value, remote_key: &str) -> Value {
    json!({
        "refreshInterval": "1h", "deletionPolicy": "Delete",
        "secretStoreRefs": [{"name": "own", "kind": store_kind}],
        "selector": selector,
        "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": remote_key}}}],
    })
}

fn push_secret(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

/// Azure, where the controller may also write secrets.
async fn writable_azure(node: &Node) -> Azure {
    let azure = Azure::start(node).await;
    let all = [
        SecretPermission::Get,
        SecretPermission::List,
        SecretPermission::Set,
        SecretPermission::Delete,
        SecretPermission::Recover,
    ];
    azure.vault.allow(&azure.application, all);
    azure
}

/// The value of a secret in the vault.
fn in_vault(azure: &Azure, name: &str) -> Option<String> {
    let object = azure.vault.object(ObjectKind::Secret, name)?;
    object["value"].as_str().map(str::to_owned)
}

async fn until_in_vault(azure: &Azure, name: &str, value: Option<&str>) {
    until(&format!("{value:?} as {name} in the vault"), || (in_vault(azure, name).as_deref() == value).then_some(()))
        .await;
}

fn wait(node: &Node, namespace: &str, object: &str) {
    node.kubectl(&["wait", "--for=condition=Ready", object, "--namespace", namespace, "--timeout=60s"]);
}

fn nothing_was_forbidden(node: &Node) {
    for deployment in DEPLOYMENTS {
        let log = node.log_of(deployment);
        assert!(!log.to_lowercase().contains("forbidden"), "{deployment}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn push_secrets_write_to_the_vault_and_delete_there_with_the_rights_of_the_chart() {
    let node = Node::cleared().await;
    let azure = writable_azure(&node).await;
    node.install_with(&azure.values());
    let of_secret = json!({"secret": {"name": "source"}});
    node.apply(&[
        namespace("team-a", &json!({"push": "yes"})),
        azure.store("own"),
        generator("Password", &json!({"length": 20, "noUpper": false, "allowRepeat": true})),
        secret(NAMESPACE, "source", "one"),
        secret("team-a", "source", "of the team"),
        push_secret(NAMESPACE, "pushed", &push("ClusterSecretStore", &of_secret, "pushed")),
        push_secret(
            NAMESPACE,
            "minted",
            &push("ClusterSecretStore", &json!({"generatorRef": reference("Password")}), "minted"),
        ),
        json!({
            "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": "shared"},
            "spec": {
                "namespaceSelectors": [{"matchLabels": {"push": "yes"}}],
                "pushSecretSpec": push("ClusterSecretStore", &of_secret, "shared"),
            },
        }),
    ]);
    for name in ["pushed", "minted"] {
        wait(&node, NAMESPACE, &format!("pushsecret/{name}"));
    }
    wait(&node, NAMESPACE, "clusterpushsecret/shared");
    wait(&node, "team-a", "pushsecret/shared");
    assert_eq!(in_vault(&azure, "pushed").as_deref(), Some("one"));
    assert_eq!(in_vault(&azure, "minted").unwrap().len(), 20);
    assert_eq!(in_vault(&azure, "shared").as_deref(), Some("of the team"));

    node.apply(&[secret(NAMESPACE, "source", "two")]);
    until_in_vault(&azure, "pushed", Some("two")).await;
    // kubectl waits for the finalizers, which go once the vault is clean.
    node.kubectl(&["delete", "pushsecret", "pushed", "minted", "--timeout=60s"]);
    node.kubectl(&["delete", "clusterpushsecret", "shared", "--timeout=60s"]);
    for name in ["pushed", "minted", "shared"] {
        until_in_vault(&azure, name, None).await;
    }
    nothing_was_forbidden(&node);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn cluster_external_secrets_and_generators_work_with_the_rights_of_the_chart() {
    let node = Node::cleared().await;
    let azure = Azure::start(&node).await;
    azure.vault.set_secret("greeting", "Hello!").unwrap();
    azure.trust(NAMESPACE, ACCOUNT);
    let registry = azure.sandbox.registry("images").unwrap().assign(&azure.application, RegistryRole::AcrPull);
    node.install_with(&azure.values());
    let annotations = json!({
        "azure.workload.identity/client-id": azure.application.client_id(),
        "azure.workload.identity/tenant-id": azure.application.tenant().id(),
    });
    let account = json!({"name": ACCOUNT, "namespace": NAMESPACE, "annotations": annotations});
    node.apply(&[
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}),
        namespace("team-a", &json!({"greeting": "shared"})),
        namespace("team-b", &json!({"greeting": "shared"})),
        azure.store("own"),
        generator("Password", &json!({"length": 20, "noUpper": false, "allowRepeat": true})),
        generator("UUID", &json!({})),
        generator("SSHKey", &json!({"keyType": "ed25519"})),
        generator("Fake", &json!({"data": {"greeting": "hello"}})),
        generator("ClusterGenerator", &json!({"kind": "UUID", "generator": {"uuidSpec": {}}})),
        generator(
            "ACRAccessToken",
            &json!({
                "registry": registry.host(), "auth": {"workloadIdentity": {"serviceAccountRef": {"name": ACCOUNT}}},
            }),
        ),
    ]);
    let kinds = ["Password", "UUID", "SSHKey", "Fake", "ClusterGenerator", "ACRAccessToken"];
    let mut shared = external_secret("shared", "own", "1h", "greeting");
    node.apply(&kinds.map(generated));
    node.apply(&[json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": "shared"},
        "spec": {
            "namespaceSelectors": [{"matchLabels": {"greeting": "shared"}}],
            "externalSecretSpec": shared["spec"].take(),
        },
    })]);
    for kind in kinds {
        wait(&node, NAMESPACE, &format!("externalsecret/{}", kind.to_lowercase()));
    }
    wait(&node, NAMESPACE, "clusterexternalsecret/shared");
    let value = |namespace| {
        let read = [
            "get",
            "secret",
            "shared",
            "--output=jsonpath={.data.value}",
            "--ignore-not-found",
            "--namespace",
            namespace,
        ];
        node.kubectl(&read)
    };
    for team in ["team-a", "team-b"] {
        wait(&node, team, "externalsecret/shared");
        assert_eq!(value(team), "SGVsbG8h", "{team}");
    }
    // A namespace that is no longer selected loses it, and so do all with the ClusterExternalSecret.
    node.kubectl(&["label", "namespace", "team-b", "greeting-"]);
    until("the Secret gone", || value("team-b").is_empty().then_some(())).await;
    assert_eq!(value("team-a"), "SGVsbG8h");
    node.kubectl(&["delete", "clusterexternalsecret", "shared", "--timeout=60s"]);
    until("the other Secret gone", || value("team-a").is_empty().then_some(())).await;
    nothing_was_forbidden(&node);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn pushes_and_generators_work_with_rights_in_one_namespace() {
    let node = Node::cleared().await;
    let azure = writable_azure(&node).await;
    let mut values = azure.values();
    values["scopedNamespace"] = NAMESPACE.into();
    values["scopedRBAC"] = true.into();
    node.install_with(&values);
    let mut store = azure.store("own");
    store["kind"] = "SecretStore".into();
    store["metadata"]["namespace"] = NAMESPACE.into();
    node.apply(&[
        store,
        secret(NAMESPACE, "source", "one"),
        generator("Password", &json!({"length": 20, "noUpper": false, "allowRepeat": true})),
        generated("Password"),
        push_secret(NAMESPACE, "pushed", &push("SecretStore", &json!({"secret": {"name": "source"}}), "pushed")),
    ]);
    wait(&node, NAMESPACE, "externalsecret/password");
    wait(&node, NAMESPACE, "pushsecret/pushed");
    assert_eq!(in_vault(&azure, "pushed").as_deref(), Some("one"));
    node.kubectl(&["delete", "pushsecret", "pushed", "--timeout=60s"]);
    until_in_vault(&azure, "pushed", None).await;
    nothing_was_forbidden(&node);
}
