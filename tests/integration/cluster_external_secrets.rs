//! ClusterExternalSecrets: an ExternalSecret in each selected namespace.

mod deletion;
mod rename;
mod restarts;
mod setting;
mod take_over;

use serde_json::{Value, json};

use setting::{OWNER, Setting};
use test_stage::cluster_access::condition;

/// The message about a namespace with somebody else's ExternalSecret.
const TAKEN: &str = "external secret already exists in namespace";

#[tokio::test(flavor = "multi_thread")]
async fn each_namespace_that_is_selected_has_the_external_secret_and_its_secret() {
    let setting = Setting::new("ces-each").await;
    setting.namespaces(&["a", "b"]).await;
    let mut manifest = setting.manifest();
    manifest["spec"]["externalSecretMetadata"] = json!({"labels": {"team": "data"}, "annotations": {"note": "x"}});
    setting.apply(manifest).await;
    for team in ["a", "b"] {
        let access = setting.of(team);
        access.until_secret(setting.name(), json!({"greeting": "hello"})).await;
        let child = access.get("ExternalSecret", setting.name()).await.unwrap();
        assert_eq!(child["metadata"]["labels"], json!({"team": "data"}));
        assert_eq!(child["metadata"]["annotations"], json!({"note": "x"}));
        let owner = &child["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["name"]), (&json!(OWNER), &json!(setting.name())));
        assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
    }
    let object = setting.until_provisioned(&["a", "b"]).await;
    assert_eq!(object["status"]["externalSecretName"], setting.name());
    assert_eq!(object["metadata"].get("finalizers"), None);
    setting.until("ready", |object| condition(object, "ExternalSecretsReady")["status"] == "True").await;
    let conditions = object["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions.last().unwrap()["type"], "Ready");
    assert_eq!(conditions.last().unwrap()["observedGeneration"], 1);
    let event = "Normal Provisioned cluster-external-secret: each of its namespaces has its ExternalSecret";
    setting.scene.until_event(setting.name(), event).await;
    let columns = setting.scene.kubectl(&["get", "ces", setting.name(), "--no-headers"]);
    let columns: Vec<_> = columns.split_whitespace().collect();
    assert_eq!(columns[1..], [setting.scene.name(), "True"], "the store, no refreshTime, Ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_come_and_go() {
    let setting = Setting::new("ces-come").await;
    setting.namespaces(&["a", "b"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a", "b"]).await;
    // A new namespace.
    setting.namespaces(&["c"]).await;
    setting.of("c").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    setting.until_provisioned(&["a", "b", "c"]).await;
    // A namespace that is no longer selected, and then selected again.
    setting.label("a", Value::Null).await;
    setting.of("a").until_gone("Secret", setting.name()).await;
    assert_eq!(setting.of("a").get("ExternalSecret", setting.name()).await, None);
    setting.until_provisioned(&["b", "c"]).await;
    setting.label("a", setting.scene.name().into()).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    setting.until_provisioned(&["a", "b", "c"]).await;
    // A namespace that is deleted with everything in it.
    setting.scene.delete("Namespace", &setting.namespace("b")).await;
    setting.scene.until_gone("Namespace", &setting.namespace("b")).await;
    setting.until_provisioned(&["a", "c"]).await;
    // The older fields work too.
    let names = json!([setting.namespace("a"), "does-not-exist"]);
    setting.merge(json!({"spec": {"namespaceSelectors": null, "namespaces": names}})).await;
    setting.until_provisioned(&["a"]).await;
    let none = json!({"spec": {"namespaces": null, "namespaceSelector": {"matchLabels": {"scene": "nobody"}}}});
    setting.merge(none).await;
    let object = setting.until_provisioned(&[]).await;
    assert_eq!(object["status"].get("provisionedNamespaces"), None);
    assert_eq!(object["status"]["conditions"].as_array().unwrap().last().unwrap()["status"], "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_each_namespace_and_one_of_a_child_is_put_back() {
    let setting = Setting::new("ces-change").await;
    setting.scene.set_secret("other", "bye");
    setting.namespaces(&["a"]).await;
    let mut manifest = setting.manifest();
    manifest["spec"]["externalSecretMetadata"] = json!({"labels": {"team": "data"}, "annotations": {"note": "x"}});
    setting.apply(manifest).await;
    let (access, name) = (setting.of("a"), setting.name());
    access.until_secret(name, json!({"greeting": "hello"})).await;
    // Changes to a child are reverted; metadata added by others stays.
    let other = json!([{"secretKey": "greeting", "remoteRef": {"key": "other"}}]);
    access
        .merge("ExternalSecret", name, json!({"metadata": {"labels": {"theirs": "1"}}, "spec": {"data": other}}))
        .await;
    let data = json!([{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]);
    let is_back = |object: &Value| object["spec"]["data"][0]["remoteRef"]["key"] == "greeting";
    let child = access.until("ExternalSecret", name, "put back", is_back).await;
    assert_eq!(child["metadata"]["labels"], json!({"team": "data", "theirs": "1"}));
    access.until_secret(name, json!({"greeting": "hello"})).await;
    assert_eq!(child["spec"]["data"][0]["remoteRef"]["key"], data[0]["remoteRef"]["key"]);
    // A change for all children that removes keys.
    let spec = json!({"externalSecretSpec": {"data": other}, "externalSecretMetadata": {"labels": {"team": null, "tier": "1"}, "annotations": null}});
    setting.merge(json!({"spec": spec})).await;
    let has_labels = |child: &Value| child["metadata"]["labels"] == json!({"theirs": "1", "tier": "1"});
    let child = access.until("ExternalSecret", name, "changed", has_labels).await;
    access.until_secret(name, json!({"greeting": "bye"})).await;
    assert_eq!(child["metadata"].get("annotations"), None);
    // A child that somebody deletes is created again.
    let uid = child["metadata"]["uid"].clone();
    access.delete("ExternalSecret", name).await;
    access.until("ExternalSecret", name, "made again", |child| child["metadata"]["uid"] != uid).await;
    access.until_secret(name, json!({"greeting": "bye"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn force_sync_is_handed_on() {
    let setting = Setting::new("ces-force").await;
    setting.namespaces(&["a", "b"]).await;
    setting.apply(setting.manifest()).await;
    for team in ["a", "b"] {
        setting.of(team).until_secret(setting.name(), json!({"greeting": "hello"})).await;
    }
    setting.scene.set_secret("greeting", "hello again");
    setting.merge(json!({"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}})).await;
    for team in ["a", "b"] {
        setting.of(team).until_secret(setting.name(), json!({"greeting": "hello again"})).await;
    }
    setting.merge(json!({"metadata": {"annotations": {"external-secrets.io/force-sync": null}}})).await;
    let is_taken_back = |child: &Value| child["metadata"].get("annotations").is_none();
    setting.of("a").until("ExternalSecret", setting.name(), "taken back", is_taken_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_of_somebody_else_fails_only_its_namespace_until_it_is_gone() {
    let setting = Setting::new("ces-taken").await;
    setting.namespaces(&["a", "b"]).await;
    let own = setting.scene.manifest_for(
        "ClusterSecretStore",
        setting.scene.name(),
        setting.name(),
        "1h",
        &[("own", "greeting")],
    );
    setting.of("b").apply(own).await;
    setting.apply(setting.manifest()).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    let failed = json!([{"namespace": setting.namespace("b"), "reason": TAKEN}]);
    let provisioned = json!([setting.namespace("a")]);
    let is_said = |object: &Value| {
        object["status"]["failedNamespaces"] == failed && object["status"]["provisionedNamespaces"] == provisioned
    };
    let object = setting.until("failed", is_said).await;
    let ready = condition(&object, "Ready");
    let message = format!("one or more namespaces failed: 1 of 2: {} ({TAKEN})", setting.namespace("b"));
    assert_eq!((&ready["status"], &ready["message"]), (&json!("False"), &json!(message)));
    setting
        .scene
        .until_event(setting.name(), &format!("Warning NamespacesFailed cluster-external-secret: {message}"))
        .await;
    setting.of("b").until_secret(setting.name(), json!({"own": "hello"})).await;
    // The controller notices that it is gone.
    setting.of("b").delete("ExternalSecret", setting.name()).await;
    setting.of("b").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    setting.until_provisioned(&["a", "b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_want_one_name_the_second_has_its_turn_when_the_first_goes() {
    let setting = Setting::new("ces-two").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a"]).await;
    let mut second = setting.manifest();
    let other = format!("{}-second", setting.name());
    second["metadata"]["name"] = other.as_str().into();
    second["spec"]["externalSecretName"] = setting.name().into();
    second["spec"]["externalSecretSpec"]["data"] = json!([{"secretKey": "second", "remoteRef": {"key": "greeting"}}]);
    setting.apply(second).await;
    setting
        .scene
        .until(OWNER, &other, "failed", |object| object["status"]["failedNamespaces"][0]["reason"] == TAKEN)
        .await;
    setting.scene.delete(OWNER, setting.name()).await;
    setting.of("a").until_secret(setting.name(), json!({"second": "hello"})).await;
    setting.scene.until(OWNER, &other, "ready", |object| condition(object, "Ready")["status"] == "True").await;
    setting.scene.delete(OWNER, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_cannot_be_reconciled_is_reported_and_everything_stays_unchanged() {
    let setting = Setting::new("ces-bad").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    let says = |object: &Value, reason: &str, text: &str| {
        let ready = condition(object, "Ready");
        ready["status"] == "False" && ready["reason"] == reason && ready["message"].as_str().unwrap().contains(text)
    };
    // Only a duration within the ExternalSecrets' spec: the watch carries on.
    setting.merge(json!({"spec": {"externalSecretSpec": {"refreshInterval": "bogus"}}})).await;
    let field = "one or more namespaces failed: spec.externalSecretSpec.refreshInterval: ";
    let object = setting.until("told", |object| says(object, "InvalidSpec", field)).await;
    assert_eq!(object["status"]["provisionedNamespaces"], json!([setting.namespace("a")]));
    let child = setting.of("a").get("ExternalSecret", setting.name()).await.unwrap();
    assert_eq!(child["spec"]["refreshInterval"], "1h");
    // An invalid duration of its own counts as unset.
    setting.merge(json!({"spec": {"refreshTime": "bogus", "externalSecretSpec": {"refreshInterval": "2h"}}})).await;
    setting
        .of("a")
        .until("ExternalSecret", setting.name(), "changed", |child| child["spec"]["refreshInterval"] == "2h")
        .await;
    setting.until_provisioned(&["a"]).await;
    // An invalid selector.
    let selector = json!([{"matchExpressions": [{"key": "scene", "operator": "Foo"}]}]);
    setting.merge(json!({"spec": {"namespaceSelectors": selector}})).await;
    let text = "1 of 2: unknown (failed to convert label selector spec.namespaceSelectors[0]: ";
    let object = setting.until("told", |object| says(object, "NamespacesFailed", text)).await;
    assert_eq!(object["status"]["failedNamespaces"][0]["namespace"], "unknown");
    assert!(setting.of("a").get("ExternalSecret", setting.name()).await.is_some());
    setting.merge(json!({"spec": {"namespaceSelectors": setting.selectors()}})).await;
    setting.until_provisioned(&["a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn external_secrets_that_are_not_ready_are_counted_and_ready_says_nothing_of_them() {
    let setting = Setting::new("ces-count").await;
    setting.namespaces(&["a", "b"]).await;
    let mut manifest = setting.manifest();
    manifest["spec"]["externalSecretSpec"]["data"][0]["remoteRef"]["key"] = "missing".into();
    setting.apply(manifest).await;
    let names = format!("{}, {}", setting.namespace("a"), setting.namespace("b"));
    let message = format!("not all ExternalSecrets are ready: 2 of 2: {names}");
    let object = setting.until_provisioned(&["a", "b"]).await;
    assert_eq!(condition(&object, "Ready")["status"], "True");
    setting.until("counted", |object| condition(object, "ExternalSecretsReady")["message"] == message.as_str()).await;
    setting.scene.set_secret("missing", "found");
    setting.merge(json!({"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}})).await;
    setting.until("ready", |object| condition(object, "ExternalSecretsReady")["status"] == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_may_be_as_long_as_any() {
    let setting = Setting::new("ces-long").await;
    setting.namespaces(&["a"]).await;
    let mut manifest = setting.manifest();
    let name = format!("{}-{}", setting.name(), "x".repeat(252 - setting.name().len()));
    manifest["metadata"]["name"] = name.as_str().into();
    setting.apply(manifest).await;
    setting.of("a").until_secret(&name, json!({"greeting": "hello"})).await;
    setting.scene.delete(OWNER, &name).await;
    setting.of("a").until_gone("Secret", &name).await;
}
