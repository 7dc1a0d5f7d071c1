//! The upgrade from a release of ESO's chart with old definitions.

use std::path::{Path, PathBuf};

use external_secrets::api::crd;
use external_secrets::sandbox::cluster::{Cluster, ClusterConfig, find_assets};
use serde_json::{Value, json};

use crate::helm::Tools;

const CHART: &str = "helm/external-secrets";
const RELEASE: &str = "external-secrets-operator";

/// The definitions in ESO's charts over time.
#[derive(Clone, Copy, Debug)]
enum Version {
    /// v0.4: v1alpha1 alone.
    V0_4,
    /// v0.5 and later, while its webhook converts. Nothing here needs conversion.
    V0_9,
    /// Up to v0.15, with a conversion webhook whose Service is gone.
    V0_15,
}

impl Version {
    fn definitions(self) -> Vec<Value> {
        let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap());
        // Kinds with one version, such as generators, came later.
        let older = definitions.filter(|definition| definition["spec"]["versions"].as_array().unwrap().len() > 1);
        let changed = older.map(|mut definition| {
            let versions = definition["spec"]["versions"].as_array_mut().unwrap();
            versions.retain(|version| version["name"] == "v1beta1");
            let mut alpha = versions[0].clone();
            alpha["name"] = "v1alpha1".into();
            versions[0]["storage"] = true.into();
            if matches!(self, Self::V0_4) {
                alpha["storage"] = true.into();
                versions[0] = alpha;
            } else {
                alpha["storage"] = false.into();
                versions.push(alpha);
            }
            if matches!(self, Self::V0_15) {
                let service = json!({"name": "gone-webhook", "namespace": "default", "path": "/convert"});
                definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
                    "conversionReviewVersions": ["v1"], "clientConfig": {"service": service},
                }});
            }
            definition
        });
        changed.collect()
    }

    fn write_chart(self, folder: &Path) {
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: external-secrets\nversion: 0.9.11\n").unwrap();
        let image = json!({"repository": "ghcr.io/external-secrets/external-secrets", "tag": ""});
        let values = json!({"image": image, "webhook": {"image": image}, "certController": {"image": image}});
        std::fs::write(folder.join("values.yaml"), values.to_string()).unwrap();
        for definition in self.definitions() {
            let file = format!("templates/{}.yaml", definition["metadata"]["name"].as_str().unwrap());
            // The descriptions hold template expressions that are not Helm's.
            let text = definition.to_string().replace("{{", "{ {").replace("}}", "} }");
            std::fs::write(folder.join(file), text).unwrap();
        }
    }
}

/// The objects of a release, as stored at the time.
fn objects(version: &str) -> [Value; 2] {
    let api_version = format!("external-secrets.io/{version}");
    let provider = json!({"azurekv": {"vaultUrl": "https://team.vault.azure.net", "authType": "WorkloadIdentity",
        "serviceAccountRef": {"name": "reader"}}});
    let data = json!([{"secretKey": "a", "remoteRef": {"key": "a"}}]);
    [
        json!({"apiVersion": api_version, "kind": "SecretStore", "metadata": {"name": "kept", "namespace": "default"},
            "spec": {"provider": provider}}),
        json!({"apiVersion": api_version, "kind": "ExternalSecret", "metadata": {"name": "kept", "namespace": "default"},
            "spec": {"secretStoreRef": {"name": "kept"}, "target": {"name": "kept"}, "data": data}}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_release_of_eso_is_upgraded_once_what_stops_it_is_done_as_the_chart_says() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_external-secrets"));
    let cluster = Cluster::start(ClusterConfig { program, assets: find_assets().await.unwrap() }).await.unwrap();
    let tools = Tools::of(&cluster);
    let former = tools.home.path().join("former");
    let install_former = |version: Version| {
        version.write_chart(&former);
        tools.helm(&["upgrade", "--install", RELEASE, &former.display().to_string()]).unwrap();
    };
    let upgrade = |arguments: &[&str]| tools.helm(&[&["upgrade", RELEASE, CHART], arguments].concat());

    install_former(Version::V0_4);
    tools.until_established(&["--all"]);
    tools.kubectl(&["create", "-f", &tools.manifest(&objects("v1alpha1"))]).unwrap();
    install_former(Version::V0_9);

    let refusal = upgrade(&["--reuse-values"]).unwrap_err();
    assert!(refusal.contains("upgrade with --reset-then-reuse-values"), "{refusal}");
    let refusal = upgrade(&["--reset-then-reuse-values", "--set", "webhook.image.tag=v0.9.11"]).unwrap_err();
    assert!(refusal.contains("remove webhook.image.tag (v0.9.11)"), "{refusal}");
    let refusal = upgrade(&[]).unwrap_err();
    let (words, command) = refusal.split_once("take the version off the list: ").expect(&refusal);
    assert!(words.ends_with("while ESO still runs, and ") && words.contains("may be stored as v1alpha1"), "{words}");
    let command = command.lines().next().unwrap();
    let done = tools.command(Path::new("/bin/sh")).args(["-ec", command]).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));

    // ESO's last release before the upgrade; its webhook is gone.
    install_former(Version::V0_15);
    let unserved = tools.kubectl(&["get", "externalsecrets.v1alpha1.external-secrets.io", "kept"]).unwrap_err();
    assert!(unserved.contains("conversion webhook"), "{unserved}");
    upgrade(&[]).unwrap();
    tools.until_established(&["--all"]);
    for kind in ["secretstores", "externalsecrets"] {
        let name = format!("{kind}.external-secrets.io");
        let conversion =
            tools.kubectl(&["get", "crd", &name, "--output=jsonpath={.spec.conversion.strategy}"]).unwrap();
        assert_eq!(conversion, "None", "{name}");
        for version in ["v1beta1", "v1"] {
            tools.kubectl(&["get", &format!("{kind}.{version}.external-secrets.io"), "kept"]).unwrap();
        }
    }
    let key = ["get", "externalsecret", "kept", "--output=jsonpath={.spec.data[0].remoteRef.key}"];
    assert_eq!(tools.kubectl(&key).unwrap(), "a", "its spec is as it was");
}
