//! Whether an object may be stored.

use kube::core::admission::{AdmissionResponse, AdmissionReview, Operation};
use kube::core::{DynamicObject, Status, TypeMeta};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use crate::api::Parsed;
use crate::api::generators::GeneratorKind;
use crate::api::v1::secret_store::SecretStoreSpec;
use crate::api::v1::{ClusterExternalSecretSpec, ExternalSecretSpec, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecretSpec, PushSecretSpec};
use crate::provider::StoreView;
use crate::provider::azure::Options as AzureOptions;
use crate::validate::{self, Problem};

/// The API server truncates longer warnings.
const LONGEST_WARNING: usize = 250;
/// Nobody reads more.
const MOST_WARNINGS: usize = 10;

/// The checks, with the operator's settings that they depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    /// The operator's settings for vaults.
    pub(crate) azure: AzureOptions,
}

/// The kinds that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ExternalSecret,
    ClusterExternalSecret,
    PushSecret,
    ClusterPushSecret,
    Store(StoreKind),
    /// Of the kind that the review names.
    Generator,
}

/// What was found in an object.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// The API server's request. Objects stay text until a part of them is needed; parsed, they would take many times the
/// memory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: String,
    #[serde(default)]
    kind: GroupVersionKind,
    operation: Operation,
    namespace: Option<String>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

/// The relevant part of an object's kind.
#[derive(Default, Deserialize)]
struct GroupVersionKind {
    kind: String,
}

/// The relevant parts of an object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

impl<'a> Object<'a> {
    fn read(text: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(text.get()).map_err(|error| error.to_string())
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    deletion_timestamp: Option<IgnoredAny>,
}

impl Checks {
    /// The answer to a review.
    ///
    /// # Errors
    /// If the body is not a review.
    pub(super) fn review(&self, kind: Kind, body: &[u8]) -> Result<AdmissionReview<DynamicObject>, String> {
        let review: Review<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let request = review.request.ok_or_else(|| "the AdmissionReview has no request".to_owned())?;
        let mut response = AdmissionResponse::invalid("");
        response.types = TypeMeta { api_version: review.api_version, kind: review.kind };
        response.uid.clone_from(&request.uid);
        (response.allowed, response.result) = (true, Status::default());
        Ok(self.answer(kind, &request, response)?.into_review())
    }

    fn answer(
        &self,
        kind: Kind,
        request: &Request<'_>,
        response: AdmissionResponse,
    ) -> Result<AdmissionResponse, String> {
        let Some(object) = request.object.filter(|_| request.operation != Operation::Delete) else {
            return Ok(response);
        };
        let object = Object::read(object)?;
        // However invalid it is, it must be possible to delete it, and so to remove its finalizers.
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(response);
        }
        let Findings { problems, mut warnings } =
            self.check(kind, &object, request.namespace.as_deref(), &request.kind.kind);
        // An object that was stored by an older version, or without a webhook, can still be labeled and annotated. The
        // API server writes the fields of both in the same order.
        let before = request.old_object.filter(|_| request.operation == Operation::Update);
        let before = before.map(Object::read).transpose()?;
        let is_as_before =
            before.is_some_and(|before| before.spec.map(RawValue::get) == object.spec.map(RawValue::get));
        if problems.is_empty() || is_as_before {
            warnings.splice(0..0, problems);
            return Ok(with_warnings(response, &warnings));
        }
        Ok(denied(with_warnings(response, &warnings), &validate::sentences(&problems)))
    }

    /// `name_of_kind` is the kind that the review names.
    fn check(&self, kind: Kind, object: &Object<'_>, namespace: Option<&str>, name_of_kind: &str) -> Findings {
        let spec = object.spec.map_or("{}", RawValue::get);
        let name = object.metadata.name.as_str();
        match kind {
            Kind::ExternalSecret => parsed(spec, |spec: &ExternalSecretSpec| {
                let mut warnings = validate::external_secret::warnings(spec);
                warnings.extend(validate::unsupported::check(spec));
                Findings { problems: validate::external_secret::check(spec), warnings }
            }),
            // The same of these.
            Kind::PushSecret => warned_of(parsed(spec, |spec: &PushSecretSpec| Findings {
                problems: validate::push_secret::check(spec),
                warnings: validate::push_secret::warnings(spec),
            })),
            Kind::ClusterPushSecret => warned_of(parsed(spec, |spec: &ClusterPushSecretSpec| Findings {
                problems: validate::cluster_push_secret::check(spec),
                warnings: validate::cluster_push_secret::warnings(spec),
            })),
            // ESO has no webhook for them and stores any, so nothing is refused.
            Kind::ClusterExternalSecret => warned_of(parsed(spec, |spec: &ClusterExternalSecretSpec| Findings {
                problems: validate::cluster_external_secret::check(spec),
                warnings: validate::cluster_external_secret::warnings(spec),
            })),
            // ESO has no webhook for them, so nothing is rejected.
            Kind::Generator => {
                let warnings = GeneratorKind::named(name_of_kind)
                    .map(|kind| validate::generator::warnings(kind, spec, namespace, &self.azure));
                Findings { problems: Vec::new(), warnings: warnings.unwrap_or_default() }
            }
            Kind::Store(kind) => parsed(spec, |spec: &SecretStoreSpec| {
                let namespace = namespace.filter(|_| kind == StoreKind::SecretStore);
                let view = StoreView { kind, namespace, name, spec };
                Findings {
                    problems: validate::secret_store::check(&view, &self.azure),
                    warnings: validate::secret_store::warnings(kind, spec),
                }
            }),
        }
    }
}

/// The same of a kind of which nothing is refused.
fn warned_of(findings: Findings) -> Findings {
    let Findings { problems, warnings } = findings;
    Findings { problems: Vec::new(), warnings: problems.into_iter().chain(warnings).collect() }
}

/// What `check` finds in a spec, or its first field that does not fit.
fn parsed<T: DeserializeOwned>(spec: &str, check: impl FnOnce(&T) -> Findings) -> Findings {
    let unfit =
        |field: String, problem: String| Findings { problems: vec![Problem { field, problem }], warnings: vec![] };
    match serde_json::from_str::<Parsed<T>>(spec) {
        Ok(spec) => match spec.get() {
            Ok(spec) => check(spec),
            Err(field) => unfit(field.path.clone(), field.problem.clone()),
        },
        Err(error) => unfit("spec".to_owned(), error.to_string()),
    }
}

fn with_warnings(mut response: AdmissionResponse, warnings: &[Problem]) -> AdmissionResponse {
    if !warnings.is_empty() {
        response.warnings =
            Some(warnings.iter().take(MOST_WARNINGS).map(|warning| header_text(&warning.to_string())).collect());
    }
    response
}

/// A warning is sent in a header: one line of limited length.
fn header_text(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line[..line.floor_char_boundary(LONGEST_WARNING)].to_owned()
}

/// Denies a request as controller-runtime does.
fn denied(mut response: AdmissionResponse, why: &str) -> AdmissionResponse {
    response.allowed = false;
    response.result = Status::failure(why, "Forbidden").with_code(403);
    response
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn store(vault_url: &str) -> Value {
        json!({"provider": {"azurekv": {
            "authType": "WorkloadIdentity", "vaultUrl": vault_url, "serviceAccountRef": {"name": "reader"},
        }}})
    }

    /// The answer to a request about a SecretStore.
    fn review(operation: &str, spec: &Value, old_spec: Option<&Value>, metadata: &Value) -> AdmissionResponse {
        let object = |spec: &Value| {
            let mut object = json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "vault"}, "spec": spec});
            object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
            object
        };
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "1", "name": "vault", "namespace": "team", "operation": operation, "userInfo": {},
                "kind": {"group": "external-secrets.io", "version": "v1", "kind": "SecretStore"},
                "resource": {"group": "external-secrets.io", "version": "v1", "resource": "secretstores"},
                "object": if operation == "DELETE" { Value::Null } else { object(spec) },
                "oldObject": old_spec.map(object),
            },
        });
        let answer = Checks::default().review(Kind::Store(StoreKind::SecretStore), review.to_string().as_bytes());
        let response = answer.unwrap().response.unwrap();
        assert_eq!(response.uid, "1");
        response
    }

    #[test]
    fn a_bad_object_is_denied_with_the_path_of_the_field() {
        let response = review("CREATE", &store("https://team.example.com"), None, &json!({}));
        assert!(!response.allowed);
        assert_eq!((response.result.code, response.result.reason.as_str()), (403, "Forbidden"));
        assert!(response.result.message.starts_with("spec.provider.azurekv.vaultUrl: "), "{}", response.result.message);
        let unfit = review("CREATE", &json!({"provider": {"azurekv": {}}}), None, &json!({}));
        assert!(unfit.result.message.starts_with("spec.provider.azurekv"), "{}", unfit.result.message);
        assert!(review("CREATE", &store("https://team.vault.azure.net"), None, &json!({})).allowed);
    }

    #[test]
    fn what_is_bad_already_can_be_changed_in_its_metadata_and_deleted() {
        let bad = store("https://team.example.com");
        let unchanged = review("UPDATE", &bad, Some(&bad), &json!({"labels": {"a": "b"}}));
        assert!(unchanged.allowed);
        assert!(unchanged.warnings.unwrap()[0].starts_with("spec.provider.azurekv.vaultUrl: "));
        let worse = review("UPDATE", &store("https://other.example.com"), Some(&bad), &json!({}));
        assert!(!worse.allowed);
        assert!(review("DELETE", &bad, Some(&bad), &json!({})).allowed);
        let mending = store("https://other.example.com");
        assert!(review("UPDATE", &mending, Some(&bad), &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})).allowed);
    }

    #[test]
    fn a_cluster_external_secret_is_warned_of_and_never_denied() {
        let warnings = |spec: &str| {
            let object = Object { spec: Some(serde_json::from_str(spec).unwrap()), ..Object::default() };
            let Findings { problems, warnings } =
                Checks::default().check(Kind::ClusterExternalSecret, &object, None, "ClusterExternalSecret");
            assert_eq!(problems, vec![], "{spec}");
            warnings.into_iter().map(|warning| warning.field).collect::<Vec<_>>()
        };
        assert_eq!(warnings(r#"{"externalSecretSpec": {}}"#)[0], "spec.externalSecretSpec");
        assert_eq!(warnings(r#"{"namespaceSelectors": 7}"#), ["spec.namespaceSelectors"]);
        let good = r#"{"externalSecretSpec": {"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}]},
            "namespaceSelectors": [{}]}"#;
        assert_eq!(warnings(good), Vec::<String>::new());
    }

    #[test]
    fn push_secrets_are_warned_of_and_never_denied() {
        let warnings = |kind: Kind, spec: &str| {
            let object = Object { spec: Some(serde_json::from_str(spec).unwrap()), ..Object::default() };
            let Findings { problems, warnings } = Checks::default().check(kind, &object, None, "");
            assert_eq!(problems, vec![], "{spec}");
            warnings.into_iter().map(|warning| warning.field).collect::<Vec<_>>()
        };
        let fields = ["spec.selector.secret", "spec.secretStoreRefs"];
        assert_eq!(warnings(Kind::PushSecret, r#"{"selector": {}, "secretStoreRefs": []}"#), fields);
        assert_eq!(warnings(Kind::PushSecret, r#"{"selector": 7, "secretStoreRefs": []}"#), ["spec.selector"]);
        let parent = r#"{"pushSecretSpec": {"selector": {}, "secretStoreRefs": []}, "namespaceSelectors": [{}]}"#;
        let fields = ["spec.pushSecretSpec.selector.secret", "spec.pushSecretSpec.secretStoreRefs"];
        assert_eq!(warnings(Kind::ClusterPushSecret, parent), fields);
    }

    #[test]
    fn nothing_in_the_metadata_of_an_object_makes_a_review_fail() {
        let good = store("https://team.vault.azure.net");
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        for metadata in [
            r#"{"managedFields": [{"manager": "m", "operation": "Update", "time": "9999-12-31T23:59:59.999999999Z"}]}"#,
            r#"{"managedFields": [{"fieldsV1": {"f:\ud800": 1e999}}, null, 7]}"#,
            &format!(r#"{{"managedFields": [{{"fieldsV1": {deep}}}]}}"#),
            r#"{"creationTimestamp": "9999-12-31T23:59:59Z", "generation": 1e400, "labels": 7, "annotations": {"a": []}}"#,
            r#"{"ownerReferences": "none", "finalizers": {}, "uid": 7, "resourceVersion": null}"#,
        ] {
            let object = |spec: &Value| {
                let name = format!(r#"{{"name": "vault", {}"#, &metadata[1..]);
                format!(r#"{{"apiVersion": "external-secrets.io/v1", "metadata": {name}, "spec": {spec}}}"#)
            };
            for (spec, allowed) in [(&good, true), (&store("https://team.example.com"), false)] {
                let review = format!(
                    r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{
                        "uid": "1", "operation": "UPDATE", "userInfo": {deep}, "object": {}, "oldObject": {}}}}}"#,
                    object(spec),
                    object(&good),
                );
                let answer = Checks::default().review(Kind::Store(StoreKind::SecretStore), review.as_bytes());
                assert_eq!(answer.unwrap().response.unwrap().allowed, allowed, "{metadata}");
            }
        }
    }

    #[test]
    fn a_generator_is_warned_of_and_never_refused() {
        let review = |kind: &str, spec: Value| {
            let review = json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {
                    "uid": "1", "name": "g", "namespace": "team", "operation": "CREATE", "userInfo": {},
                    "kind": {"group": "generators.external-secrets.io", "version": "v1alpha1", "kind": kind},
                    "resource": {"group": "generators.external-secrets.io", "version": "v1alpha1", "resource": "x"},
                    "object": {"metadata": {"name": "g"}, "spec": spec},
                },
            });
            let answer =
                Checks::default().review(Kind::Generator, review.to_string().as_bytes()).unwrap().response.unwrap();
            assert!(answer.allowed);
            answer.warnings.unwrap_or_default()
        };
        assert!(review("Password", json!({"length": 24})).is_empty());
        assert!(
            review("Password", json!({"length": 5000}))[0].starts_with("spec.length: 5000 is not between 0 and 4096")
        );
        assert!(review("Password", json!({"length": "x"}))[0].starts_with("spec.length: "));
        assert!(review("Other", json!({"length": "x"})).is_empty());
    }

    #[test]
    fn a_warning_is_one_line_of_bounded_length() {
        let text = header_text(&format!("a\r\nb{}", "ü".repeat(400)));
        assert!(text.starts_with("a  b") && text.len() <= LONGEST_WARNING);
    }
}
