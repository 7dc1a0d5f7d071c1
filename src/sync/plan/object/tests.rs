use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rstest::rstest;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::api::ServedVersion;
use crate::api::v1::ExternalSecretSpec;
use crate::sync::object::{TargetObject, is_intact, last_write};
use crate::sync::template::{RenderError, Renderer, Sources};
use crate::template::{Allowance, Engine, funcs, yaml};

/// The hash of `{"greeting": "hello"}`, as ESO writes it for a generic target.
const HELLO: &str = "2e37f258c161a2ba97b268157dff61c073607a841e9988bfc4c8de58";
/// The hash of `default/example`, as ESO writes it.
const EXAMPLE: &str = "5b1224068cc3cca5aa3071e518838346f821fe1761229559d4959980";

fn meta() -> ObjectMeta {
    serde_json::from_value(json!({
        "name": "example", "namespace": "default", "uid": "es-uid",
        "labels": {"team": "a"}, "annotations": {"note": "x"},
    }))
    .unwrap()
}

fn values(entries: &[(&str, &[u8])]) -> SecretData {
    entries.iter().map(|(key, value)| ((*key).to_owned(), Arc::new(value.to_vec().into()))).collect()
}

fn hello() -> SecretData {
    values(&[("greeting", b"hello")])
}

fn config_map() -> Value {
    json!({"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}})
}

fn app_config() -> Value {
    json!({"manifest": {"apiVersion": "config.example.com/v1", "kind": "AppConfig"}})
}

fn with(mut target: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("more is an object") };
    target.as_object_mut().unwrap().extend(more);
    target
}

fn read_strings(text: &[u8], allowance: &mut Allowance) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, String> {
    yaml::read_strings(text, allowance).map_err(|error| error.to_string())
}

fn rendered(spec: &ExternalSecretSpec, values: &SecretData) -> Result<Option<Rendered>, RenderError> {
    let engine = Engine::new(funcs::all());
    let renderer = Renderer { root: "spec.target.template", engine: &engine, read_keys_and_values: read_strings };
    let sources = Sources {
        config_maps: [("templates".to_owned(), [("conf".to_owned(), "host: {{ .host }}".to_owned())].into())].into(),
        ..Sources::default()
    };
    let template = spec.target.as_ref().and_then(|target| target.template.as_deref());
    template.map(|template| renderer.render_object(template, values, &sources)).transpose()
}

/// The plan for a spec with this `target`, with its template rendered.
fn planned(
    target: &Value,
    values: &SecretData,
    existing: Option<&Value>,
    last: Option<&LastWrite>,
) -> Result<Plan, Refusal> {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({"target": target})).unwrap();
    let existing = existing.map(|existing| serde_json::from_value::<DynamicObject>(existing.clone()).unwrap());
    let meta = meta();
    let owner = Owner::new(&meta, &spec, ServedVersion::V1);
    let rendered = rendered(&spec, values).unwrap();
    build_object(owner, owner.manifest().unwrap(), values, rendered.as_ref(), existing.as_ref(), last)
}

fn written(plan: Plan) -> Value {
    match plan {
        Plan::CreateObject(object) | Plan::UpdateObject(object) => serde_json::to_value(object.object()).unwrap(),
        other => panic!("nothing is written: {other:?}"),
    }
}

fn made(target: &Value, values: &SecretData) -> Value {
    written(planned(target, values, None, None).unwrap())
}

/// A template of literals, each with its target.
fn literals(entries: &[(&str, &str)]) -> Value {
    let from: Vec<_> = entries.iter().map(|(target, text)| json!({"target": target, "literal": text})).collect();
    json!({"template": {"templateFrom": from}})
}

#[test]
fn without_a_template_a_config_map_holds_the_values_and_the_marks_of_eso() {
    assert_eq!(
        made(&config_map(), &hello()),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "example", "namespace": "default",
                "labels": {"team": "a", "reconcile.external-secrets.io/managed": "true",
                           "reconcile.external-secrets.io/created-by": EXAMPLE},
                "annotations": {"note": "x", "reconcile.external-secrets.io/data-hash": HELLO},
                "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "example",
                                     "uid": "es-uid", "controller": true, "blockOwnerDeletion": true}],
            },
            "data": {"greeting": "hello"},
        })
    );
}

#[test]
fn without_a_template_a_custom_resource_holds_the_values_in_its_spec() {
    assert_eq!(made(&app_config(), &hello())["spec"], json!({"data": {"greeting": "hello"}}));
}

#[test]
fn a_template_writes_to_the_places_that_it_names() {
    let target = with(
        app_config(),
        literals(&[
            ("spec.database", "host: {{ .host }}\nport: {{ .port }}"),
            ("spec.database", "pool: {size: 5}"),
            ("spec.rules[1].from[0].source", "[{{ .host }}]"),
            ("Labels", "tier: db"),
            ("metadata.annotations", "host: {{ .host }}"),
        ]),
    );
    let made = made(&target, &values(&[("host", b"db.example.com"), ("port", b"5432")]));
    let database = json!({"host": "db.example.com", "port": 5432, "pool": {"size": 5}});
    let rules = json!([null, {"from": [{"source": ["db.example.com"]}]}]);
    assert_eq!(made["spec"], json!({"database": database, "rules": rules}));
    assert_eq!(made["metadata"]["labels"]["tier"], "db");
    assert_eq!(made["metadata"]["annotations"]["host"], "db.example.com");
    assert!(made["metadata"]["labels"]["team"].is_null(), "with a template its labels take the place of the others");
}

#[rstest]
#[case("spec", "replicas: {{ .n }}\nimage: nginx:1.21", json!({"replicas": 3, "image": "nginx:1.21"}))]
#[case("Spec", "a: 1.0", json!({"a": 1}))]
fn a_literal_is_the_whole_of_a_field_at_the_top(#[case] field: &str, #[case] text: &str, #[case] expected: Value) {
    let made = made(&with(app_config(), literals(&[(field, text)])), &values(&[("n", b"3")]));
    assert_eq!(made["spec"], expected);
}

#[test]
fn templates_by_key_are_texts_in_data() {
    let template = json!({"template": {"data": {"n": "{{ .n }}", "config.yaml": "n: {{ .n }}"}}});
    let made = made(&with(config_map(), template), &values(&[("n", b"3")]));
    assert_eq!(made["data"], json!({"n": "3", "config.yaml": "n: 3"}));
}

#[rstest]
#[case("Data", "Values", json!({"data": {"conf": "host: db"}, "spec": {}}))]
#[case("Data", "KeysAndValues", json!({"data": {"host": "db"}, "spec": {}}))]
#[case("spec.config", "Values", json!({"spec": {"config": {"host": "db"}}}))]
#[case("spec.config", "KeysAndValues", json!({"spec": {"config": {"host": "db"}}}))]
#[case("spec", "Values", json!({"spec": {"conf": "host: db"}}))]
fn templates_of_a_config_map_are_rendered_once_and_go_anywhere(
    #[case] place: &str,
    #[case] scope: &str,
    #[case] expected: Value,
) {
    let items = json!([{"key": "conf", "templateAs": scope}]);
    let from = json!([{"target": place, "configMap": {"name": "templates", "items": items}}]);
    let target = with(app_config(), json!({"template": {"templateFrom": from}}));
    let mut made = made(&target, &values(&[("host", b"db")]));
    let fields = made.as_object_mut().unwrap();
    fields.retain(|name, _| name == "data" || name == "spec");
    assert_eq!(made, expected);
}

#[test]
fn what_a_value_says_is_never_a_template() {
    let items = json!([{"key": "conf"}]);
    let from = json!([{"target": "Data", "configMap": {"name": "templates", "items": items}}]);
    let target = with(config_map(), json!({"template": {"templateFrom": from}}));
    assert_eq!(made(&target, &values(&[("host", b"{{ fail }}")]))["data"]["conf"], "host: {{ fail }}");
}

#[test]
fn the_values_are_there_too_where_the_merge_policy_says_so_or_the_template_makes_nothing() {
    let merge = json!({"template": {"mergePolicy": "Merge", "data": {"more": "{{ .greeting }}!"}}});
    assert_eq!(made(&with(config_map(), merge), &hello())["data"], json!({"greeting": "hello", "more": "hello!"}));
    let replace = json!({"template": {"data": {"more": "{{ .greeting }}!"}}});
    assert_eq!(made(&with(config_map(), replace), &hello())["data"], json!({"more": "hello!"}));
    let labels = json!({"template": {"metadata": {"labels": {"greeting": "{{ .greeting }}"}}}});
    let made = made(&with(config_map(), labels), &hello());
    assert_eq!(
        (&made["data"], &made["metadata"]["labels"]["greeting"]),
        (&json!({"greeting": "hello"}), &json!("hello"))
    );
}

#[test]
fn what_cannot_be_held_is_refused_by_its_key() {
    let binary = values(&[("blob", &[0xff])]);
    let error = planned(&config_map(), &binary, None, None).unwrap_err().to_string();
    assert!(
        error.starts_with("the value of \"blob\" is not UTF-8, which ConfigMap \"example\" cannot hold"),
        "{error}"
    );
    assert!(error.contains("{{ index . \"blob\" | b64enc }}"), "{error}");
    let bad_key = values(&[("a/b", b"x")]);
    let error = planned(&config_map(), &bad_key, None, None).unwrap_err().to_string();
    assert!(error.starts_with("\"a/b\" cannot be a key of a ConfigMap"), "{error}");
    assert!(planned(&app_config(), &bad_key, None, None).is_ok(), "a custom resource has keys of its own");
}

#[test]
fn a_path_through_a_value_is_refused_without_the_value() {
    let target = with(app_config(), literals(&[("spec.a", "s3cret"), ("spec.a.b", "x: y")]));
    let error = planned(&target, &hello(), None, None).unwrap_err();
    let expected = "the path \"spec.a.b\" of the template leads through a string of AppConfig \"example\", where it needs a mapping; correct templateFrom.target";
    assert_eq!(error.to_string(), expected);
}

fn manager(fields: &Value) -> Value {
    json!([{"manager": "externalsecrets.external-secrets.io/example", "operation": "Update", "fieldsV1": fields}])
}

/// Somebody else's `AppConfig`, into which `spec.database.host` and `spec.old` were written.
fn of_someone_else() -> Value {
    json!({
        "apiVersion": "config.example.com/v1", "kind": "AppConfig",
        "metadata": {"name": "example", "namespace": "default", "uid": "o-uid", "resourceVersion": "7",
            "finalizers": ["theirs"], "labels": {"theirs": "1"},
            "managedFields": manager(&json!({"f:spec": {"f:database": {"f:host": {}}, "f:old": {}}}))},
        "spec": {"database": {"host": "before", "name": "theirs"}, "old": "x", "mode": "theirs"},
        "status": {"phase": "Up"},
        "operation": {"sync": true},
    })
}

#[rstest]
#[case("Merge")]
#[case("CreateOrMerge")]
fn a_policy_that_merges_adds_to_what_others_wrote_and_takes_its_own_back(#[case] policy: &str) {
    let target =
        with(with(app_config(), json!({"creationPolicy": policy})), literals(&[("spec.database", "host: now")]));
    let made = written(planned(&target, &hello(), Some(&of_someone_else()), None).unwrap());
    assert_eq!(made["spec"], json!({"database": {"host": "now", "name": "theirs"}, "mode": "theirs"}));
    assert_eq!(made["status"], json!({"phase": "Up"}));
    assert!(made["metadata"]["ownerReferences"].is_null());
    let missing = planned(&target, &hello(), None, None).unwrap();
    assert_eq!(matches!(missing, Plan::Missing), policy == "Merge", "{missing:?}");
}

#[test]
fn an_owner_writes_the_whole_content_and_leaves_metadata_status_and_foreign_fields() {
    let target = with(app_config(), literals(&[("spec.database", "host: now")]));
    let made = written(planned(&target, &hello(), Some(&of_someone_else()), None).unwrap());
    assert_eq!(made["spec"], json!({"database": {"host": "now"}}));
    assert_eq!((&made["status"], &made["operation"]), (&json!({"phase": "Up"}), &json!({"sync": true})));
    let meta = &made["metadata"];
    assert_eq!((&meta["finalizers"], &meta["labels"]["theirs"]), (&json!(["theirs"]), &json!("1")));
    assert_eq!((&meta["uid"], &meta["resourceVersion"]), (&json!("o-uid"), &json!("7")));
}

#[test]
fn an_object_that_is_as_it_should_be_is_not_written() {
    let mut stored = made(&config_map(), &hello());
    assert!(matches!(planned(&config_map(), &hello(), Some(&stored), None), Ok(Plan::Unchanged)));
    assert!(matches!(
        planned(&config_map(), &values(&[("greeting", b"!")]), Some(&stored), None),
        Ok(Plan::UpdateObject(_))
    ));
    stored["metadata"]["labels"]["team"] = "b".into();
    assert!(matches!(planned(&config_map(), &hello(), Some(&stored), None), Ok(Plan::UpdateObject(_))));
}

#[test]
fn what_the_api_server_filled_in_does_not_count_as_a_change() {
    let target = with(app_config(), literals(&[("spec.database", "host: db")]));
    let object = |value: &Value| TargetObject::new(serde_json::from_value(value.clone()).unwrap());
    let wanted = made(&target, &hello());
    let mut stored = wanted.clone();
    stored["spec"]["mode"] = "default".into();
    let last = last_write(&object(&wanted), &object(&stored));
    // Its controller writes the status.
    stored["status"] = json!({"phase": "Up"});
    assert!(is_intact(object(&stored).object(), Some(&last)));
    assert!(!is_intact(object(&stored).object(), None), "nobody knows after a restart");
    assert!(matches!(planned(&target, &hello(), Some(&stored), Some(&last)), Ok(Plan::Unchanged)));
    stored["spec"]["mode"] = "changed".into();
    assert!(!is_intact(object(&stored).object(), Some(&last)));
    assert!(matches!(planned(&target, &hello(), Some(&stored), Some(&last)), Ok(Plan::UpdateObject(_))));
}

fn owned_by(kind: &str, name: &str) -> Value {
    let mut object = of_someone_else();
    let group = if kind == "ExternalSecret" { "external-secrets.io/v1" } else { "apps/v1" };
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": group, "kind": kind, "name": name, "uid": "x", "controller": true}]);
    object
}

#[test]
fn an_object_that_somebody_else_controls_is_refused() {
    let refused = |existing: &Value| planned(&app_config(), &hello(), Some(existing), None).unwrap_err().to_string();
    let of_other = refused(&owned_by("ExternalSecret", "other"));
    assert!(of_other.starts_with("AppConfig \"example\" belongs to ExternalSecret \"other\""), "{of_other}");
    let of_deployment = refused(&owned_by("Deployment", "d"));
    assert!(of_deployment.starts_with("AppConfig \"example\" is controlled by Deployment \"d\""), "{of_deployment}");
}

#[test]
fn the_words_are_those_of_eso() {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({"target": config_map()})).unwrap();
    let meta = meta();
    let owner = Owner::new(&meta, &spec, ServedVersion::V1);
    let said = |plan: &Plan| {
        let statement = plan.statement(owner);
        let event = statement.event.map(|(reason, message)| format!(" | {reason}: {message}")).unwrap_or_default();
        format!("{}: {}{event}", statement.reason, statement.message)
    };
    let create = planned(&config_map(), &hello(), None, None).unwrap();
    assert_eq!(said(&create), "ResourceSynced: secret synced | Created: Created ConfigMap example");
    assert_eq!(said(&Plan::Unchanged), "ResourceSynced: secret synced");
    assert_eq!(said(&Plan::Deleted), "ResourceDeleted: secret deleted due to DeletionPolicy=Delete");
    assert_eq!(said(&Plan::Missing), "ResourceMissing: resource will not be created due to CreationPolicy=Merge");
    let policy = json!({"deletionPolicy": "Delete"});
    let stored = written(create);
    let delete = planned(&with(config_map(), policy), &SecretData::new(), Some(&stored), None).unwrap();
    let deleted = "ResourceDeleted: secret deleted due to DeletionPolicy=Delete | Deleted: Deleted ConfigMap example";
    assert_eq!(said(&delete), deleted);
}

#[test]
fn no_value_is_printed() {
    let plan = planned(&with(app_config(), literals(&[("spec.a", "{{ .greeting }}")])), &hello(), None, None).unwrap();
    assert_eq!(format!("{plan:?}"), "CreateObject");
    let spec: ExternalSecretSpec =
        serde_json::from_value(json!({"target": with(app_config(), literals(&[("spec.a", "{{ .greeting }}")]))}))
            .unwrap();
    let rendered = format!("{:?}", rendered(&spec, &hello()).unwrap());
    assert!(rendered.contains("spec.a") && !rendered.contains("hello"), "{rendered}");
}
