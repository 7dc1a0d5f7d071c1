//! What the API server rejects by the CRDs' rules alone, and what it accepts.

use kube::api::{Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};
use test_stage::scene::Scene;

/// A document of `tests/fixtures/admission.yaml`.
#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    spec: Value,
    #[serde(default)]
    refused: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_in_the_crds_refuse_what_eso_refuses_and_nothing_else() {
    let scene = Scene::new("admission").await;
    let cases: Vec<Case> = serde_saphyr::from_multiple(include_str!("../fixtures/admission.yaml")).unwrap();
    assert!(cases.len() > 20);
    for case in &cases {
        for version in ["external-secrets.io/v1", "external-secrets.io/v1beta1"] {
            let object =
                json!({"apiVersion": version, "kind": case.kind, "metadata": {"name": case.name}, "spec": case.spec});
            let params = PatchParams::apply("test").dry_run();
            let api = scene.api_in_version(version, &case.kind);
            let answer = api.patch(&case.name, &params, &Patch::Apply(&object)).await;
            match (&case.refused, answer) {
                (None, Ok(_)) => {}
                (Some(message), Err(kube::Error::Api(status))) => {
                    assert!(
                        status.message.contains(message.as_str()),
                        "{} in {version}: {}",
                        case.name,
                        status.message
                    );
                }
                (_, answer) => panic!("{} in {version}: {answer:?}, expected {:?}", case.name, case.refused),
            }
        }
    }
}
