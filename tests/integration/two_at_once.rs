//! Two controllers that work on the same objects, as during an update of a Deployment without leader election.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use test_stage::cluster_access::decoded;
use test_stage::scene::Scene;

/// How many ExternalSecrets read the same secret and share its answers.
const OBJECTS: usize = 10;
const CHANGES: usize = 6;

/// The values that a watch has shown for each Secret, in order.
fn observe(scene: &Scene) -> Arc<Mutex<BTreeMap<String, Vec<String>>>> {
    let seen = Arc::<Mutex<BTreeMap<String, Vec<String>>>>::default();
    let (noted, secrets) = (Arc::clone(&seen), scene.api("Secret"));
    tokio::spawn(async move {
        let watch = watcher(secrets, watcher::Config::default()).applied_objects();
        let noting = watch.try_for_each(|secret| {
            let secret = serde_json::to_value(&secret).unwrap();
            let value = decoded(&secret)["greeting"].as_str().unwrap_or_default().to_owned();
            let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
            let mut noted = noted.lock().unwrap();
            let values: &mut Vec<String> = noted.entry(name).or_default();
            if values.last() != Some(&value) {
                values.push(value);
            }
            std::future::ready(Ok(()))
        });
        noting.await.unwrap();
    });
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_at_once_neither_brings_an_older_value_back() {
    let scene = Scene::with_own_controller("two-at-once").await;
    let value = |index: usize| format!("version {index}");
    scene.set_secret("greeting", &value(0));
    scene.store().await;
    let seen = observe(&scene);
    let _one = scene.start_controller().await;
    let name = format!("{}-other", scene.name());
    // Its shared answers are older than what the first one has written.
    let arguments = [&scene.arguments()[..], &["--azure-coalesce=5s"]].concat();
    let _other = scene.world.start_controller(&name, &arguments).await;
    let names: Vec<_> = (0..OBJECTS).map(|index| format!("example-{index}")).collect();
    for name in &names {
        scene.external_secret(name, "1s", &[("greeting", "greeting")]).await;
    }
    for index in 0..=CHANGES {
        scene.set_secret("greeting", &value(index));
        for name in &names {
            scene.until_secret(name, json!({"greeting": value(index)})).await;
        }
    }
    for name in &names {
        scene.until_refreshed_twice(name).await;
    }
    let expected: Vec<_> = (0..=CHANGES).map(value).collect();
    let seen = seen.lock().unwrap();
    for name in &names {
        assert_eq!(seen[name], expected, "the values of {name}: {}", Value::from(seen[name].clone()));
    }
}
