//! `docs/diagnosis.md`: what `why` and `doctor` say about each fault of the sandbox, and how soon.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Effect, Fault, Network};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};

use super::VALUE;
use super::run::Command;

/// How long a person may wait for an answer.
const A_MINUTE: Duration = Duration::from_mins(1);

/// What is broken, in the words of the page.
const BROKEN: [&str; 22] = [
    "the secret was deleted",
    "the secret is disabled",
    "the value has no such property",
    "the vault's access policies leave the identity out",
    "the identity has no role on the vault",
    "the vault's firewall refuses the address",
    "the vault is open to private endpoints alone",
    "the vault throttles",
    "the vault answers 503",
    "the vault answers 500",
    "the proxy cannot connect to the vault",
    "the proxy does not find the vault's name",
    "the vault shows the certificate of another host",
    "the vault closes the connection",
    "Entra ID answers 503",
    "no federated credential has the subject",
    "the service account lacks its annotation",
    "the service account is gone",
    "the store is gone",
    "a template is wrong",
    "another ExternalSecret owns the Secret",
    "the manifest contradicts itself",
];

async fn synced(number: usize) -> Scene {
    let scene = Scene::new(&format!("fault-{number}")).await;
    scene.set_secret("one", VALUE);
    scene.store().await;
    scene.external_secret("example", "1h", &[("a", "one")]).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene
}

/// Breaks it, and returns as soon as the controller has noticed.
async fn break_it(scene: &Scene, broken: &str) {
    let vault = |effect| scene.vault.fault(Fault::new(effect));
    let change = async |spec: Value| {
        scene.merge("ExternalSecret", "example", json!({"spec": spec})).await;
    };
    let store_says = async |reason: &str| scene.until_store_says(reason).await;
    match broken {
        "the secret was deleted" => scene.vault.delete_secret("one").unwrap(),
        "the secret is disabled" => scene.vault.enable_secret("one", false).unwrap(),
        "the value has no such property" => {
            change(json!({"data": [{"secretKey": "a", "remoteRef": {"key": "one", "property": "p"}}]})).await;
        }
        "the vault's access policies leave the identity out" => drop(scene.vault.revoke(&scene.application)),
        "the identity has no role on the vault" => drop(scene.vault.use_roles()),
        "the vault's firewall refuses the address" => {
            scene.vault.set_network(Network::Firewall { client_address: "203.0.113.7".to_owned() });
        }
        "the vault is open to private endpoints alone" => drop(scene.vault.set_network(Network::PrivateOnly)),
        "the vault throttles" => drop(vault(Effect::Throttle(Some(1)))),
        "the vault answers 503" => drop(vault(Effect::Status(503))),
        "the vault answers 500" => drop(vault(Effect::Status(500))),
        "the proxy cannot connect to the vault" => drop(vault(Effect::ConnectionRefused)),
        "the proxy does not find the vault's name" => drop(vault(Effect::HostNotFound)),
        "the vault shows the certificate of another host" => drop(vault(Effect::WrongCertificate)),
        "the vault closes the connection" => drop(vault(Effect::DropBefore)),
        "Entra ID answers 503" => {
            scene.application.fault(Fault::status(503));
            scene.remake_service_account().await;
            store_says("ValidationUnknown").await;
        }
        "no federated credential has the subject" => {
            scene.application.clear_federation();
            scene.remake_service_account().await;
            // The store says InvalidProviderConfig while the account is gone, too.
            let is_refused = |store: &Value| {
                condition(store, "Ready")["message"].as_str().is_some_and(|message| message.contains("AADSTS"))
            };
            scene.until(scene.store_kind(), scene.name(), "refused by Entra ID", is_refused).await;
        }
        "the service account lacks its annotation" => {
            let annotations = json!({"azure.workload.identity/client-id": null});
            scene.merge("ServiceAccount", SERVICE_ACCOUNT, json!({"metadata": {"annotations": annotations}})).await;
            store_says("InvalidProviderConfig").await;
        }
        "the service account is gone" => {
            scene.delete("ServiceAccount", SERVICE_ACCOUNT).await;
            store_says("InvalidProviderConfig").await;
        }
        "the store is gone" => {
            scene.delete(scene.store_kind(), scene.name()).await;
            scene.until_gone(scene.store_kind(), scene.name()).await;
        }
        "a template is wrong" => change(json!({"target": {"template": {"data": {"a": "{{ .none.of.it }}"}}}})).await,
        "another ExternalSecret owns the Secret" => {
            let mut other = scene.manifest("other", "1h", &[("a", "one")]);
            other["spec"]["target"]["name"] = "others".into();
            scene.apply(other).await;
            scene.until_ready("other", "True", "SecretSynced", "secret synced").await;
            change(json!({"target": {"name": "others"}})).await;
        }
        "the manifest contradicts itself" => {
            let entry = |key: &str| json!({"secretKey": "a", "remoteRef": {"key": key}});
            change(json!({"data": [entry("one"), entry("two")]})).await;
        }
        other => panic!("nothing breaks {other:?}"),
    }
    scene.force_sync("example").await;
    scene
        .until("ExternalSecret", "example", &format!("not Ready: {broken}"), |es| {
            condition(es, "Ready")["status"] == "False"
        })
        .await;
}

/// A row of the page.
async fn row(number: usize, broken: &str) -> String {
    let scene = synced(number).await;
    break_it(&scene, broken).await;
    let ask = async |arguments: &[&str]| {
        let began = Instant::now();
        let run = Command::of(&scene).run(&[arguments, &["-o", "json"]].concat()).await;
        assert!(began.elapsed() < A_MINUTE, "{broken}: {arguments:?} took {:?}", began.elapsed());
        assert_eq!(run.code, 1, "{broken}: {arguments:?}: {}\n{}", run.text, run.errors);
        run.tells_none_of(&[VALUE]);
        serde_json::from_str::<Value>(&run.text).unwrap()
    };
    let why = ask(&["why", "example"]).await;
    let failed = |list: &Value| {
        let found = list.as_array().unwrap().iter().filter(|one| one["result"] == "failed").cloned();
        found.collect::<Vec<_>>()
    };
    let link = failed(&why["links"]).first().cloned().unwrap_or_else(|| panic!("{broken}: {why:#}"));
    let remedy = link["remedy"].as_str().unwrap_or_else(|| panic!("{broken} has no remedy: {link:#}"));
    let doctor = ask(&["doctor", "--store", &format!("css/{}", scene.name())]).await;
    let checks = failed(&doctor["checks"]);
    let is_told = |id: &str| checks.iter().any(|check| check["id"] == id && check["remedy"].is_string());
    let ids: Vec<_> =
        ["store-ready", "service-account", "synced", "two-owners"].into_iter().filter(|id| is_told(id)).collect();
    assert!(!ids.is_empty(), "{broken}: {doctor:#}");
    let words = |field: &str| link[field].as_str().unwrap_or_default().to_owned();
    let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
    format!("| {broken} | {} | `{}` | {} | {} |", words("link"), words("cause"), ids.join(", "), remedy)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_named_with_its_remedy_by_one_command() {
    let rows = stream::iter(BROKEN.iter().enumerate()).map(async |(number, broken)| row(number, broken).await);
    let rows: Vec<_> = rows.buffered(4).collect().await;
    let page = include_str!("../../../docs/diagnosis.md");
    let (before, rest) = page.split_once("<!-- faults -->\n").expect("the page has a place for the table");
    let (_, after) = rest.split_once("<!-- end of faults -->").expect("the table ends");
    let head = "| what is broken | where | cause | `doctor` | what to do |\n|---|---|---|---|---|\n";
    let wanted = format!("{before}<!-- faults -->\n{head}{}\n<!-- end of faults -->{after}", rows.join("\n"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnosis.md"), &wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "docs/diagnosis.md is not what the commands say: run this test with UPDATE_DOCS=1\n{wanted}"
    );
}
