//! Answers of the API server that cannot be read, or that come from something else: no value in them is shown at any
//! log level, and the condition says what is wrong.

use std::path::Path;

use rstest::rstest;
use serde_json::json;
use test_stage::api_proxy::{Alteration, ApiFault, ApiProxy};
use test_stage::cluster_access::condition;
use test_stage::leaks::Leaks;
use test_stage::scene::Scene;

use crate::synced::Synced;

const CANARY: &str = "canary5f0c91d2";

const ALTERATIONS: [(Alteration, &str); 5] = [
    (Alteration::CutShort, "its answer could not be read: it ends too soon"),
    (Alteration::NoJson, "its answer could not be read: it is not JSON that can be read"),
    (Alteration::OtherTypes, "its answer could not be read: a field is not what it should be"),
    (Alteration::AsError, "it was answered with HTTP 500, in other words than those of a Kubernetes API"),
    (Alteration::NoText, "its answer could not be read: it is not JSON that can be read"),
];

#[rstest]
#[case::at_the_level_of_the_flag("")]
#[case::at_every_level("trace")]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_shown_nowhere(#[case] level: &str) {
    let scene = Scene::with_own_controller("unreadable").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    scene.set_secret("greeting", &format!("{CANARY} 0"));
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("greeting", "greeting")]);
    let from = json!([{"secret": {"name": "templates", "items": [{"key": "made", "templateAs": "Values"}]}}]);
    manifest["spec"]["target"]["template"] = json!({"templateFrom": from, "mergePolicy": "Merge"});
    let templates = json!({"made": format!("{CANARY} in a template")});
    scene
        .apply(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "templates"}, "stringData": templates}),
        )
        .await;
    scene.apply(manifest).await;
    let arguments = scene.arguments();
    let log = format!("{}-{level}", scene.name());
    let environment = [("RUST_LOG", level)];
    let controller = scene.world.start_controller_in(&log, &arguments, &proxy.kubeconfig, &environment).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    for (number, (alteration, words)) in ALTERATIONS.into_iter().enumerate() {
        let fault = proxy.fault(ApiFault::Alter(alteration), 1.0);
        scene.set_secret("greeting", &format!("{CANARY} {}", number + 1));
        scene.force_sync("example").await;
        scene
            .until("ExternalSecret", "example", words, |object| {
                let ready = condition(object, "Ready");
                ready["status"] == "False" && ready["message"].as_str().is_some_and(|message| message.contains(words))
            })
            .await;
        proxy.lift(fault);
        scene.until_synced("example").await;
    }
    let leaks = Leaks::of(CANARY);
    for event in scene.events("example").await {
        assert!(!leaks.is_in(event.as_bytes()), "{event}");
    }
    let path = scene.world.log_of(&log);
    assert_eq!(Leaks::of(CANARY).in_logs([Path::new(&path)]), Vec::<String>::new());
    assert!(level.is_empty() || controller.log().contains("\"level\":\"TRACE\""), "libraries are heard");
}
