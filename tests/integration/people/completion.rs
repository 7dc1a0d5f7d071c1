//! `external-secrets completion`, and what kubectl asks for.

use test_stage::scene::Scene;

use super::pushes::push_secret;
use super::run::Command;

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_cluster_are_completed_and_nothing_is_said_where_there_is_none() {
    let scene = Scene::new("people-complete").await;
    let name = scene.name().to_owned();
    scene.set_secret("one", "one");
    scene.store().await;
    scene.external_secret("database", "1h", &[("a", "one")]).await;
    let complete = async |words: &[&str]| {
        let run = Command::of(&scene).run_as_is(&[&["__complete"], words].concat()).await;
        assert_eq!((run.code, run.errors.as_str()), (0, ""), "{words:?}");
        run.text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["why", "-n", &name, "d"]).await, ["database", ":4"]);
    scene.apply(push_secret(&scene, "database", "none", "x")).await;
    scene.apply(push_secret(&scene, "discs", "none", "x")).await;
    assert_eq!(complete(&["plan", "-n", &name, "d"]).await, ["database", "discs", ":4"]);
    assert_eq!(complete(&["why", "-n", &name, "ps/"]).await, ["ps/database", "ps/discs", ":4"]);
    let all = complete(&["refresh", "-n", &name, ""]).await;
    for word in ["database", "ps/database", "pushsecrets", &format!("css/{name}")] {
        assert!(all.iter().any(|line| line == word), "{word}: {all:?}");
    }
    // The stores of the cluster are those of other tests, too.
    let stores = complete(&["get", "--store", "css/", "-n", &name, ""]).await;
    assert!(stores.contains(&format!("css/{name}")), "{stores:?}");
    assert_eq!(complete(&["get", "--namespace", &name]).await, [name.as_str(), ":4"]);
    assert_eq!(complete(&["get", "--kubeconfig", "/nowhere", "d"]).await, [":4"]);
    let commands = complete(&["d"]).await;
    assert!(commands[0].starts_with("doctor\t") || commands[0].starts_with("docs\t"), "{commands:?}");
    assert!(!complete(&["web"]).await.iter().any(|line| line.starts_with("webhook")), "a plugin starts none");
}
