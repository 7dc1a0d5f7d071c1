//! What the metrics report.

use external_secrets::sandbox::{AttributeChanges, SecretPermission, SecretProperties};
use serde_json::json;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use crate::synced::Synced;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_was_synced_and_what_was_not() {
    let scene = Scene::with_own_controller("metrics-tell").await;
    let controller = scene.start_controller_with(&["--enable-extended-metric-labels=true"]).await;
    controller.until_ready().await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("greeting", "greeting")]);
    manifest["metadata"]["labels"] = json!({"app.kubernetes.io/name": "shop"});
    scene.apply(manifest).await;
    scene.external_secret("broken", "1h", &[("greeting", "not-there")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    let failed = |object: &serde_json::Value| condition(object, "Ready")["status"] == "False";
    scene.until("ExternalSecret", "broken", "failed", failed).await;

    let object = |name: &str, app: &str| {
        let others =
            "app_kubernetes_io_component=\"\",app_kubernetes_io_instance=\"\",app_kubernetes_io_managed_by=\"\"";
        let rest = "app_kubernetes_io_part_of=\"\",app_kubernetes_io_version=\"\"";
        format!("{others},app_kubernetes_io_name=\"{app}\",{rest},{{}}name=\"{name}\",namespace=\"{}\"", scene.name())
    };
    let condition = |name: &str, app: &str| object(name, app).replace("{}", "condition=\"Ready\",");
    let object = |name: &str, app: &str| object(name, app).replace("{}", "");
    let starts = [
        format!("externalsecret_status_condition{{{},status=\"True\"}} 1", condition("example", "shop")),
        format!("externalsecret_status_condition{{{},status=\"False\"}} 1", condition("broken", "")),
        format!("externalsecret_sync_calls_total{{{}}} ", object("example", "shop")),
        format!("externalsecret_sync_calls_error{{{}}} ", object("broken", "")),
        format!("external_secrets_last_success_timestamp_seconds{{{}}} ", object("example", "shop")),
        format!("external_secrets_staleness_seconds{{{}}} 0", object("example", "shop")),
        "external_secrets_objects{ready=\"True\"} 1".to_owned(),
        "external_secrets_objects{ready=\"False\"} 1".to_owned(),
        "external_secrets_sync_failures_total{cause=\"SecretNotFound\"} ".to_owned(),
        "external_secrets_sync_duration_seconds_bucket{result=\"success\"".to_owned(),
        "external_secrets_store_validations_total{cause=\"\",kind=\"SecretStore\",reason=\"Valid\"} ".to_owned(),
        "externalsecret_provider_api_calls_count{call=\"GetSecret\",provider=\"Azure/KeyVault\",status=\"success\"} "
            .to_owned(),
        "external_secrets_provider_call_duration_seconds_count{call=\"GetSecret\"".to_owned(),
        "external_secrets_token_exchanges_total{status=\"success\"} 1".to_owned(),
        "controller_runtime_reconcile_total{controller=\"externalsecret\",result=\"success\"} ".to_owned(),
        "controller_runtime_reconcile_errors_total{controller=\"externalsecret\"} ".to_owned(),
        "controller_runtime_active_workers{controller=\"secretstore\"} 0".to_owned(),
        "controller_runtime_max_concurrent_reconciles{controller=\"externalsecret\"} 64".to_owned(),
        "workqueue_depth{controller=\"externalsecret\",name=\"externalsecret\"} 0".to_owned(),
        "workqueue_queue_duration_seconds_count{controller=\"externalsecret\",name=\"externalsecret\"} ".to_owned(),
        "rest_client_requests_total{code=\"201\",".to_owned(),
        "external_secrets_build_info{version=".to_owned(),
    ];
    for start in starts {
        controller.until_measured(&start).await;
    }
    let stale = format!("external_secrets_staleness_seconds{{{}}} ", object("broken", ""));
    controller.until_measured(&stale).await;
    controller.until_measured("external_secrets_staleness_seconds_max ").await;
    assert!(!controller.metrics().await.contains("controller=\"clustersecretstore\""), "they are not worked on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_expiry_of_the_first_value_is_exported_on_request() {
    let scene = Scene::with_own_controller("metrics-expiry").await;
    let controller = scene.start_controller_with(&["--enable-remote-expiry-metrics"]).await;
    controller.until_ready().await;
    for (name, expires) in [("later", 1_900_000_000), ("first", 1_800_000_000)] {
        let attributes = AttributeChanges { expires: Some(expires), ..AttributeChanges::default() };
        let properties = SecretProperties { attributes, ..SecretProperties::default() };
        scene.vault.set_secret_with(name, "value", properties).unwrap();
    }
    scene.set_secret("never", "value");
    scene.vault.allow(&scene.application, SecretPermission::List);
    scene.store().await;
    scene.external_secret("example", "1h", &[("a", "later"), ("b", "first"), ("c", "never")]).await;
    scene.external_secret("without", "1h", &[("c", "never")]).await;
    let mut found = scene.manifest("found", "1h", &[]);
    found["spec"]["dataFrom"] = json!([{"find": {"name": {"regexp": "^(later|never)$"}}}]);
    scene.apply(found).await;
    for (name, expires) in [("example", "1800000000"), ("found", "1900000000")] {
        let labels = format!("{{name=\"{name}\",namespace=\"{}\"}}", scene.name());
        let metric = format!("external_secrets_remote_expiry_timestamp_seconds{labels} {expires}");
        controller.until_measured(&metric).await;
    }
    scene.until_secret("without", json!({"c": "value"})).await;
    let labels = format!("{{name=\"without\",namespace=\"{}\"}}", scene.name());
    let metrics = controller.metrics().await;
    assert!(!metrics.contains(&format!("external_secrets_remote_expiry_timestamp_seconds{labels}")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_was_restarted_shows_all_that_is_synced_although_nothing_is_due() {
    let scene = Scene::with_own_controller("metrics-again").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "0", &[("greeting", "greeting")]).await;
    let first = scene.start_controller().await;
    scene.until_synced("example").await;
    first.kill().await;
    let reads = scene.reads_of("greeting");
    let name = format!("{}-second", scene.name());
    let second = scene.world.start_controller(&name, &scene.arguments()).await;
    second.until_ready().await;
    let labels = format!("name=\"example\",namespace=\"{}\"", scene.name());
    second
        .until_measured(&format!("externalsecret_status_condition{{condition=\"Ready\",{labels},status=\"True\"}} 1"))
        .await;
    second.until_measured(&format!("external_secrets_last_success_timestamp_seconds{{{labels}}} 1")).await;
    assert_eq!(scene.reads_of("greeting"), reads, "it was not read again for that");
}
