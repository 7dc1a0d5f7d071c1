//! Compares `fixtures/admission.yaml` with the rules in the CRDs. A test with an API server checks that it rejects each
//! case with exactly this message.

use std::collections::BTreeSet;

use external_secrets::api::crd;
use serde::Deserialize;
use serde_json::Value;

use crate::manifest::{documents, problems};
use crate::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    kind: String,
    spec: Value,
    #[serde(default)]
    refused: Option<String>,
}

fn cases() -> Vec<Case> {
    let documents = documents(&read("tests/fixtures/admission.yaml")).unwrap();
    documents.into_iter().map(|case| serde_json::from_value(case).unwrap()).collect()
}

/// The messages of a kind's rules.
fn messages(kind: &str) -> Vec<String> {
    let definition = crd::all().into_iter().find(|definition| definition.spec.names.kind == kind).unwrap();
    let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
    let fields = crd::fields("", &schema);
    let rules = fields.iter().flat_map(|field| field.schema.x_kubernetes_validations.iter().flatten());
    rules.map(|rule| rule.message.clone().unwrap()).collect()
}

#[test]
fn every_rule_has_a_case_that_it_refuses() {
    let refused: BTreeSet<_> = cases().into_iter().filter_map(|case| case.refused).collect();
    for kind in ["ExternalSecret", "SecretStore", "ClusterSecretStore"] {
        let messages = messages(kind);
        assert!(!messages.is_empty(), "{kind} has no rule");
        for message in messages {
            assert!(refused.contains(&message), "no case in tests/fixtures/admission.yaml is refused with {message:?}");
        }
    }
}

#[test]
fn every_case_is_right_but_for_the_rule_that_refuses_it() {
    let mut names = BTreeSet::new();
    for case in cases() {
        let manifest = serde_json::json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": case.kind,
            "metadata": { "name": case.name },
            "spec": case.spec,
        });
        assert_eq!(problems(&manifest), Vec::<String>::new(), "{}", case.name);
        if let Some(refused) = case.refused {
            assert!(messages(&case.kind).contains(&refused), "{}: no rule says {refused:?}", case.name);
        }
        assert!(names.insert(case.name.clone()), "{} occurs twice", case.name);
    }
}
