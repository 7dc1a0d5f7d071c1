//! The commands for people, `get` and `refresh`, against a real API server.

mod canary;
mod checks;
mod completion;
mod doctor;
mod faults;
mod hostile;
mod migrate;
mod parents;
mod plugin;
mod pushes;
mod refresh;
mod run;
mod watch;
mod why;

use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use run::Command;

/// The value that no command may print.
const VALUE: &str = "canary-0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn get_tells_of_each_whether_it_is_ready_when_it_is_next_and_what_is_wrong() {
    let scene = Scene::new("people-get").await;
    let name = scene.name();
    scene.set_secret("one", VALUE);
    scene.store().await;
    scene.external_secret("good", "1h", &[("a", "one")]).await;
    scene.external_secret("bad", "1h", &[("a", "missing")]).await;
    let mut once = scene.manifest("once", "1h", &[("a", "one")]);
    once["spec"]["refreshPolicy"] = "CreatedOnce".into();
    scene.apply(once).await;
    for name in ["good", "once"] {
        scene.until_ready(name, "True", "SecretSynced", "secret synced").await;
    }
    scene.until("ExternalSecret", "bad", "failed", |es| es["status"]["cause"] == "SecretNotFound").await;

    let run = Command::of(&scene).run(&["get"]).await;
    let rows: Vec<Vec<_>> = run.text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "STORE", "READY", "SYNCED", "NEXT", "SAYS"]);
    assert_eq!(rows[1][..6], ["bad", &format!("css/{name}"), "False", "never", "retried", "within"]);
    assert!(run.text.contains("SecretNotFound: could not get secret data from provider: spec.data[0]"), "{}", run.text);
    assert_eq!((rows[2][0], rows[2][2]), ("good", "True"));
    assert!(run.text.contains("never: CreatedOnce"), "{}", run.text);
    assert_eq!(run.code, 0);
    run.tells_none_of(&[VALUE]);

    let names = async |arguments: &[&str]| {
        let run = Command::of(&scene).run(&[&["get", "-o", "json"], arguments].concat()).await;
        let document: Value = serde_json::from_str(&run.text).unwrap();
        assert_eq!(document["version"], 1);
        let list = document["externalSecrets"].as_array().unwrap().clone();
        list.iter().map(|es| es["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--not-ready"]).await, ["bad"]);
    assert_eq!(names(&["--cause", "SecretNotFound"]).await, ["bad"]);
    assert_eq!(names(&["--stale"]).await, [""; 0]);
    assert_eq!(names(&["--store", &format!("css/{name}")]).await.len(), 3);
    assert_eq!(names(&["good", "es/once"]).await, ["good", "once"]);

    let wide = Command::of(&scene).run(&["get", "-o", "wide", "bad", "--request-timeout", "20s"]).await;
    let headings: Vec<_> = wide.text.lines().next().unwrap().split_whitespace().collect();
    let expected = ["NAME", "STORE", "TARGET", "READY", "SINCE", "SYNCED", "NEXT", "CAUSE", "SAYS"];
    assert_eq!(headings, expected, "{}", wide.errors);
    let plain = Command::of(&scene).run(&["get", "-o", "name"]).await;
    assert_eq!(plain.text, "externalsecret/bad\nexternalsecret/good\nexternalsecret/once\n");

    let run = Command::of(&scene).run(&["status", "gone", "good"]).await;
    assert_eq!(run.code, 1);
    let absent = format!("no ExternalSecret {name}/gone; `external-secrets get externalsecrets` lists");
    assert!(run.errors.contains(&absent) && run.text.contains("good"), "{}", run.errors);
    let run = Command::of(&scene).run(&["get", &format!("css/{name}"), "-o", "yaml"]).await;
    assert!(run.text.contains("kind: ClusterSecretStore") && run.text.contains("ready: \"True\""), "{}", run.text);

    // With somebody else's rights.
    let run = Command::of(&scene).run(&["get", "--as", "nobody"]).await;
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("a right is missing: ") && !run.errors.contains("reached"), "{}", run.errors);
    assert!(run.errors.contains("cannot list resource \"externalsecrets\""), "{}", run.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_waited_for_and_tells_of_each_how_it_went() {
    let scene = Scene::new("people-refresh").await;
    let name = scene.name();
    scene.set_secret("one", "before");
    scene.store().await;
    for (es, secret) in [("changed", "one"), ("same", "two"), ("bad", "missing")] {
        scene.set_secret("two", "two");
        scene.external_secret(es, "1h", &[("a", secret)]).await;
    }
    let mut once = scene.manifest("once", "1h", &[("a", "two")]);
    once["spec"]["refreshPolicy"] = "CreatedOnce".into();
    scene.apply(once).await;
    for es in ["changed", "same", "once"] {
        scene.until_ready(es, "True", "SecretSynced", "secret synced").await;
    }
    scene.until("ExternalSecret", "bad", "failed", |es| es["status"]["cause"] == "SecretNotFound").await;
    scene.set_secret("one", VALUE);

    let results = async |arguments: &[&str], code: i32| {
        let run = Command::of(&scene).run(&[&["refresh", "--wait", "-o", "json"], arguments].concat()).await;
        run.tells_none_of(&[VALUE]);
        assert_eq!(run.code, code, "{}\n{}", run.text, run.errors);
        let document: Value = serde_json::from_str(&run.text).unwrap();
        let results = document["results"].as_array().unwrap().clone();
        results
            .into_iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let all = results(&["--all"], 1).await;
    assert_eq!((&all["changed"]["result"], &all["changed"]["secretChanged"]), (&json!("refreshed"), &json!(true)));
    assert_eq!((&all["same"]["result"], &all["same"]["secretChanged"]), (&json!("refreshed"), &json!(false)));
    assert_eq!(all["once"]["result"], "skipped");
    assert_eq!(all["bad"]["result"], "failed");
    assert!(all["bad"]["message"].as_str().unwrap().starts_with("SecretNotFound: "));
    assert_eq!(scene.secret_data("changed").await, Some(json!({"a": VALUE})), "it is there when the command ends");

    // A second failure has the same text, but is recognized as a new one.
    let again = results(&["bad"], 1).await;
    assert_eq!(again["bad"]["message"], all["bad"]["message"]);
    scene.set_secret("missing", "there now");
    let mended = results(&["es/bad", "gone"], 1).await;
    assert_eq!((&mended["bad"]["result"], &mended["gone"]["result"]), (&json!("refreshed"), &json!("failed")));

    let store = results(&[&format!("css/{name}")], 0).await;
    assert_eq!(store[&name.to_owned()]["result"], "refreshed");
    let manager = scene.get("ExternalSecret", "changed").await.unwrap()["metadata"]["managedFields"].clone();
    assert!(manager.as_array().unwrap().iter().any(|entry| entry["manager"] == "external-secrets-cli"));

    let run = Command::of(&scene).run(&["refresh"]).await;
    assert_eq!(run.code, 1, "one of names, -l, --all is needed");
    let run = Command::of(&scene).run(&["refresh", "same"]).await;
    assert_eq!((run.code, run.text.trim()), (0, format!("{name}/same  a refresh was requested").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_without_an_answer_exits_with_3_and_says_where_to_look() {
    let scene = Scene::with_own_controller("people-vain").await;
    scene.store().await;
    scene.external_secret("one", "1h", &[("a", "one")]).await;
    let run = Command::of(&scene).run(&["refresh", "one", "--wait", "--timeout=1s"]).await;
    assert_eq!(run.code, 3, "{}", run.errors);
    assert!(run.text.contains("external-secrets doctor"), "{}", run.text);
    assert_eq!(condition(&scene.get("ExternalSecret", "one").await.unwrap(), "Ready"), Value::Null);
}
