//! Objects that somebody wrote to harm whoever looks at them: what the commands print stays harmless, and short.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_stage::scene::Scene;
use test_stage::world::World;

use super::pushes::push_secret;
use super::run::{Command, Run};

/// What would change the title of a terminal, clear it, turn text around, or begin a line of its own.
const HARM: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}evil\u{2066}\u{61c}\r\nexternal-secrets: all is well";
/// More of that, which the API server takes in JSON alone.
const MORE: &str = "\u{9b}31m\u{85}\u{7f}";

/// How many objects fail.
const MANY: usize = 150;

/// More than anybody reads, in bytes.
const LONG: usize = 1 << 20;

/// The most that a command may print about one object.
const MOST: usize = 64 << 10;

#[track_caller]
fn is_harmless(arguments: &[&str], run: &Run, most: usize) {
    for printed in [&run.text, &run.errors] {
        let is_harmful = |c: &char| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let found = printed.chars().position(|c| is_harmful(&c));
        assert!(
            found.is_none(),
            "{arguments:?} prints {:?}",
            found.map(|at| printed.chars().skip(at).take(40).collect::<String>())
        );
        assert!(!printed.lines().any(|line| line.starts_with("external-secrets: all is well")), "{arguments:?} lies");
        assert!(printed.len() <= most, "{arguments:?} prints {} bytes", printed.len());
    }
}

async fn status(scene: &Scene, api_version: &str, kind: &str, name: &str, mut status: Value) {
    let long = format!("{HARM}{MORE}{}", "x".repeat(LONG));
    let condition = |type_: &str| json!({"type": type_, "status": "False", "reason": HARM, "message": long, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    status["conditions"] = json!([condition("Ready")]);
    let patch = Patch::Merge(json!({"status": status}));
    let api = scene.api_in_version(api_version, kind);
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// A cluster in which nothing runs that would write over it.
async fn scene() -> Scene {
    let scene = Scene::on(World::without_controller().await, "hostile").await;
    let name = scene.name().to_owned();
    let (version, alpha) = (scene.version, "external-secrets.io/v1alpha1");
    scene.apply(scene.store_manifest("ClusterSecretStore", &name)).await;
    status(&scene, version, "ClusterSecretStore", &name, json!({})).await;
    let notes = json!({"note": HARM, "force-sync": HARM});
    let mut example = scene.manifest_for("ClusterSecretStore", &name, "example", "1h", &[("a", "one")]);
    example["metadata"]["annotations"] = notes.clone();
    example["spec"]["data"][0]["remoteRef"]["key"] = HARM.into();
    let template = json!({"data": {"a": format!("{{{{ .none{HARM} }}}}")}});
    example["spec"]["target"] = json!({"template": template});
    scene.apply(example.clone()).await;
    status(&scene, version, "ExternalSecret", "example", json!({"cause": HARM, "refreshTime": "2026-01-01T00:00:00Z"}))
        .await;
    let mut push = push_secret(&scene, "push", "source", HARM);
    push["metadata"]["annotations"] = notes;
    scene.apply(push.clone()).await;
    status(&scene, alpha, "PushSecret", "push", json!({"cause": HARM})).await;
    let failed: Vec<_> =
        (0..50).map(|number| json!({"namespace": format!("n-{number}"), "reason": HARM.repeat(20)})).collect();
    scene
        .apply(json!({"apiVersion": version, "kind": "ClusterExternalSecret", "metadata": {"name": name},
            "spec": {"externalSecretSpec": example["spec"], "namespaceSelectors": [{"matchLabels": {"a": "b"}}]}}))
        .await;
    status(&scene, version, "ClusterExternalSecret", &name, json!({"failedNamespaces": failed})).await;
    scene
        .apply(json!({"apiVersion": alpha, "kind": "ClusterPushSecret", "metadata": {"name": name},
            "spec": {"pushSecretSpec": push["spec"], "namespaceSelectors": [{"matchLabels": {"a": "b"}}]}}))
        .await;
    status(&scene, alpha, "ClusterPushSecret", &name, json!({"failedNamespaces": failed})).await;
    let uid = scene.get("ExternalSecret", "example").await.unwrap()["metadata"]["uid"].clone();
    scene
        .apply(
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "event"}, "type": "Warning", "reason": "x",
            "message": HARM.repeat(10), "lastTimestamp": "2026-01-01T00:00:00Z",
            "involvedObject": {"kind": "ExternalSecret", "namespace": name, "name": "example", "uid": uid}}),
        )
        .await;
    scene
        .apply(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "external-secrets-controller"},
            "spec": {"holderIdentity": HARM, "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"}}))
        .await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_commands_print_of_hostile_objects_is_harmless_and_short() {
    let scene = scene().await;
    let (ces, cps, css) =
        (format!("ces/{}", scene.name()), format!("cps/{}", scene.name()), format!("css/{}", scene.name()));
    let commands: &[&[&str]] = &[
        &["get", "externalsecrets", "pushsecrets", "clusterexternalsecrets", "clusterpushsecrets", "stores"],
        &["why", "example"],
        &["why", "example", "--check"],
        &["why", "ps/push"],
        &["why", "ps/push", "--check"],
        &["why", &ces],
        &["why", &ces, "--check"],
        &["why", &cps, "--check"],
        &["doctor"],
        &["doctor", "--store", &css],
        &["refresh", "example", "ps/push", &ces, &cps, &css, "--wait", "--timeout=6s"],
        &["get", "no\u{1b}[31mname", "--as", "no\u{1b}[31mbody"],
        &["get", "no\u{1b}[31mname"],
        &["why", "pod\u{202e}/x"],
    ];
    for command in commands {
        for format in ["text", "json", "yaml"] {
            let arguments = [*command, &["-o", format]].concat();
            let run = Command::of(&scene).run(&arguments).await;
            is_harmless(&arguments, &run, MOST);
            assert!(run.text.len() + run.errors.len() > 20, "{arguments:?} says nothing");
        }
    }
    for arguments in [&["doctor", "-o", "short"][..], &["get", "-o", "wide"], &["get", "-o", "name"]] {
        is_harmless(arguments, &Command::of(&scene).run(arguments).await, MOST);
    }
    let mut watch = Command::of(&scene).start(&["get", "externalsecrets", "clusterexternalsecrets", "-w"]);
    let line = watch.until(&["example"]).await;
    assert!(line.len() < MOST && !line.contains('\u{1b}') && !line.contains('\u{202e}'), "{} bytes", line.len());

    // Very many fail: the findings are cut, and counted.
    for number in 0..MANY {
        scene.apply(scene.store_manifest("SecretStore", &format!("store-{number:03}"))).await;
    }
    let run = Command::of(&scene).run(&["doctor"]).await;
    is_harmless(&["doctor"], &run, MOST);
    let left_out = MANY + 1 - 20;
    assert!(run.text.contains(&format!("FAIL  and {left_out} more\n")), "{}", run.text);
    let run = Command::of(&scene).run(&["doctor", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&run.text).unwrap();
    let stores = document["checks"].as_array().unwrap().iter().filter(|check| check["id"] == "store-ready").count();
    assert_eq!(stores, 21, "twenty, and how many more");
    assert!(document["summary"]["failed"].as_u64().unwrap() > MANY as u64, "{}", document["summary"]);
    let run = Command::of(&scene).run(&["doctor", "-o", "short"]).await;
    let line = run.text.lines().find(|line| line.starts_with("stores ")).unwrap_or_default();
    assert!(line.contains(&format!("{} failed", MANY + 1)), "{}", run.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_misspelt_is_answered_with_the_one_that_is_meant() {
    let scene = Scene::new("people-typo").await;
    let name = scene.name();
    scene.store().await;
    scene.external_secret("mail", "1h", &[("a", "one")]).await;
    for arguments in [&["get", "mial"][..], &["why", "mial"]] {
        let run = Command::of(&scene).run(arguments).await;
        assert_eq!(run.code, 1);
        assert_eq!(
            run.errors.trim(),
            format!("external-secrets: no ExternalSecret {name}/mial; did you mean \"mail\"?")
        );
    }
    let typo = format!("css/{}", name.replacen("people", "poeple", 1));
    let run = Command::of(&scene).run(&["doctor", "--store", &typo]).await;
    assert!(run.code == 1 && run.text.contains(&format!("did you mean {name:?}?")), "{}", run.text);
    let run = Command::of(&scene).run(&["why", "pod/mail"]).await;
    assert!(run.code == 1 && run.errors.contains("ces/NAME of a ClusterExternalSecret"), "{}", run.errors);
    // Who may not list them is not told that the API server is away.
    let run = Command::of(&scene).run(&["why", "mail", "--as", "nobody"]).await;
    assert!(run.errors.contains("a right is missing: ") && !run.errors.contains("reached"), "{}", run.errors);
}
