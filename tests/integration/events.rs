//! How many events an ExternalSecret causes.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;
use test_stage::world::World;

/// An ExternalSecret with 999 missing entries, nearly the maximum, whose target Secret changes at each refresh.
fn flood(scene: &Scene) -> Value {
    let missing = (0..999)
        .map(|number| json!({"secretKey": format!("k{number}"), "remoteRef": {"key": format!("absent-{number}")}}));
    let there = json!({"secretKey": "there", "remoteRef": {"key": "there"}});
    let mut manifest = scene.manifest_for("SecretStore", "fake", "flood", "1s", &[]);
    manifest["spec"]["data"] = missing.chain([there]).collect();
    manifest["spec"]["target"]["deletionPolicy"] = "Merge".into();
    manifest["spec"]["target"]["template"] = json!({"data": {"a": "{{ randAlphaNum 8 }}"}});
    manifest
}

/// The events of an object, with how often each happened.
async fn events_of(scene: &Scene, name: &str) -> Vec<(String, u64)> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event"));
    let api: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), scene.name(), &resource);
    let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let events = api.list(&params).await.unwrap().items;
    let said = |event: &DynamicObject| {
        let message = event.data["message"].as_str().unwrap().to_owned();
        (message, event.data["count"].as_u64().unwrap_or(1))
    };
    events.iter().map(said).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_says_something_new_every_second_fills_nothing_and_drowns_nobody() {
    let world = World::without_controller().await;
    let (loud, quiet) = (Scene::on(world, "loud").await, Scene::on(world, "quiet").await);
    let fake = json!({"provider": {"fake": {"data": [{"key": "there", "value": "x"}]}}});
    loud.apply(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "fake"}, "spec": fake}))
        .await;
    loud.apply(flood(&loud)).await;
    let controller = world.start_controller("flood", &[]).await;
    // By now 25 have been written or counted, each with a request to the API server.
    controller.until_measured("external_secrets_events_dropped_total{of=\"object\"} ").await;

    quiet.set_secret("greeting", "hello");
    quiet.store().await;
    quiet.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    quiet.until_event("example", "Normal Created external-secrets: secret created").await;

    let events = events_of(&loud, "flood").await;
    let (objects, times) = (events.len(), events.iter().map(|(_, count)| count).sum::<u64>());
    assert!(objects <= 25 && times <= 26, "{objects} events, {times} times: {events:#?}");
    let missing = "secret does not exist at provider using spec.data[0] (key=absent-0), spec.data[1] (key=absent-1), \
                   spec.data[2] (key=absent-2), spec.data[3] (key=absent-3), spec.data[4] (key=absent-4) and 994 more";
    assert!(events.iter().any(|(message, _)| message == missing), "{events:#?}");
    let dropped = controller.log().matches("events were dropped").count();
    assert!(dropped <= 5, "said {dropped} times, once a minute at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_fails_in_another_way_each_time_is_logged_no_more_often_than_it_has_events() {
    const TRIES: usize = 40;
    let world = World::without_controller().await;
    let scene = Scene::on(world, "failing").await;
    let fake = json!({"provider": {"fake": {"data": [{"key": "there", "value": "x"}]}}});
    scene
        .apply(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "fake"}, "spec": fake}))
        .await;
    scene.apply(scene.manifest_for("SecretStore", "fake", "example", "1h", &[("k", "there")])).await;
    let controller = world.start_controller("failing", &[]).await;
    for number in 0..TRIES {
        let template = json!({"data": {"a": format!("{{{{ unknown{number} }}}}")}});
        scene.merge("ExternalSecret", "example", json!({"spec": {"target": {"template": template}}})).await;
        let words = format!("\"unknown{number}\"");
        let is_told =
            |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|text| text.contains(&words));
        scene.until("ExternalSecret", "example", "the next failure", is_told).await;
    }
    let lines = controller.log().matches("could not be synced").count();
    assert!((20..=26).contains(&lines), "{lines} lines in {TRIES} failures");
}
