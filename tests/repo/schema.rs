//! Compares the CRDs with `reference/*.tsv`, which list the v1 schema, printer columns and
//! selectable fields of ESO 2.9.0. The columns of `fields.tsv`: kind, version, path, type, enum
//! (`|` between values), default (JSON), other constraints (`; ` between them).

use std::collections::{BTreeMap, BTreeSet};

use external_secrets::api::crd;
use external_secrets::api::generators::GeneratorKind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
};
use serde_json::Value;

use crate::read;

/// Our deliberate additions to ESO's schema: the path and the difference.
const ADDITIONS: [(&str, &str); 18] = [
    // Tells whether a condition describes the current spec.
    (".status.conditions[].observedGeneration", "a field"),
    (".status.observedGeneration", "a field"),
    // Which requested refresh has finished.
    (".status.lastHandledRefresh", "a field"),
    // Providers that ESO serves and this controller does not are stored unchanged.
    (".spec.provider", "x-kubernetes-preserve-unknown-fields=True"),
    // Lists of unreasonable size: see docs/compatibility.md.
    (".spec.data", "maxItems=1000"),
    (".spec.dataFrom", "maxItems=200"),
    (".spec.dataFrom[].rewrite", "maxItems=100"),
    (".spec.dataFrom[].rewrite[].merge.priority", "maxItems=1000"),
    (".spec.syncWindows.windows", "maxItems=100"),
    (".spec.target.template.metadata.finalizers", "maxItems=100"),
    (".spec.target.template.templateFrom", "maxItems=200"),
    (".spec.target.template.templateFrom[].configMap.items", "maxItems=200"),
    (".spec.target.template.templateFrom[].secret.items", "maxItems=200"),
    (".spec.conditions", "maxItems=200"),
    (".spec.conditions[].namespaces", "maxItems=5000"),
    (".spec.conditions[].namespaceRegexes", "maxItems=200"),
    (".spec.provider.fake.data", "maxItems=5000"),
    (".spec.provider.azurekv.serviceAccountRef.audiences", "maxItems=100"),
];

/// The same for generators: the kind, the path and the difference.
const GENERATOR_ADDITIONS: [(&str, &str, &str); 3] = [
    // Kinds that ESO serves and this controller does not are stored unchanged.
    ("ClusterGenerator", ".spec.generator", "x-kubernetes-preserve-unknown-fields=True"),
    ("ACRAccessToken", ".spec.auth.workloadIdentity.serviceAccountRef.audiences", "maxItems=100"),
    (
        "ClusterGenerator",
        ".spec.generator.acrAccessTokenSpec.auth.workloadIdentity.serviceAccountRef.audiences",
        "maxItems=100",
    ),
];

/// The same of PushSecrets, whose spec a ClusterPushSecret has in a field of its own.
const PUSH_ADDITIONS: [(&str, &str); 8] = [
    (".data", "maxItems=1000"),
    (".dataTo", "maxItems=200"),
    (".dataTo[].rewrite", "maxItems=100"),
    (".secretStoreRefs", "maxItems=100"),
    (".template.metadata.finalizers", "maxItems=100"),
    (".template.templateFrom", "maxItems=200"),
    (".template.templateFrom[].configMap.items", "maxItems=200"),
    (".template.templateFrom[].secret.items", "maxItems=200"),
];

/// Generators have neither columns nor selectable fields.
fn is_generator(kind: &str) -> bool {
    GeneratorKind::named(kind).is_some()
}

/// Additions to the status of an ExternalSecret, besides those that stores have too.
const ADDITIONS_TO_STATUS: [(&str, &str); 2] = [(".status.cause", "a field"), (".status.syncedTemplates", "a field")];

/// Additions to the conditions of ClusterExternalSecrets; ESO's have a type, a status and a message.
const ADDITIONS_TO_PARENTS: [(&str, &str); 5] = [
    (".status.observedGeneration", "a field"),
    (".status.lastHandledRefresh", "a field"),
    (".status.conditions[].lastTransitionTime", "a field"),
    (".status.conditions[].observedGeneration", "a field"),
    (".status.conditions[].reason", "a field"),
];

/// The additions to one kind. A ClusterExternalSecret contains the spec of an ExternalSecret.
fn additions(kind: &str) -> Vec<(String, &'static str)> {
    if is_generator(kind) {
        let mine = GENERATOR_ADDITIONS.iter().filter(|(of, ..)| *of == kind);
        return mine.map(|(_, path, what)| ((*path).to_owned(), *what)).collect();
    }
    let spec_of_push = match kind {
        "PushSecret" => Some(".spec"),
        "ClusterPushSecret" => Some(".spec.pushSecretSpec"),
        _ => None,
    };
    if let Some(spec) = spec_of_push {
        let of_spec = PUSH_ADDITIONS.iter().map(|(path, what)| (format!("{spec}{path}"), *what));
        let of_both =
            [".status.conditions[].observedGeneration", ".status.observedGeneration", ".status.lastHandledRefresh"];
        let of_child = [
            "cause",
            "syncedSources",
            "syncedVaults",
            "syncedVaults{}",
            "recovering",
            "recovering{}",
            "recovering{}[]",
            "generated",
            "generated.madeAt",
            "generated.generation",
            "generated.until",
            "generated.forced",
        ];
        let of_child = of_child.into_iter().filter(|_| kind == "PushSecret").map(|field| format!(".status.{field}"));
        let of_status = of_both.into_iter().map(str::to_owned).chain(of_child).map(|path| (path, "a field"));
        return of_spec.chain(of_status).collect();
    }
    let of_store = |path: &str| path.starts_with(".spec.provider") || path.starts_with(".spec.conditions");
    let is_for = |path: &str| match kind {
        "ExternalSecret" | "ClusterExternalSecret" => !of_store(path),
        _ => of_store(path) || !path.starts_with(".spec"),
    };
    let all = ADDITIONS.iter().filter(|(path, _)| is_for(path));
    if kind != "ClusterExternalSecret" {
        let of_status = ADDITIONS_TO_STATUS.iter().filter(|_| kind == "ExternalSecret");
        return all.chain(of_status).map(|(path, what)| ((*path).to_owned(), *what)).collect();
    }
    let inner = all.filter_map(|(path, what)| Some((path.strip_prefix(".spec")?, *what)));
    let inner = inner.map(|(path, what)| (format!(".spec.externalSecretSpec{path}"), what));
    inner.chain(ADDITIONS_TO_PARENTS.iter().map(|(path, what)| ((*path).to_owned(), *what))).collect()
}

/// A field as a row of the table: type, enum, default and constraints.
#[derive(Debug, PartialEq)]
struct Row {
    type_: String,
    values: Vec<String>,
    default: Option<Value>,
    constraints: BTreeSet<String>,
}

/// The rows of a table for a kind.
fn table(file: &str, kind: &str) -> Vec<Vec<String>> {
    let text = read(&format!("tests/repo/reference/{file}"));
    let rows = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|row| row[0] == kind).map(|row| row[2..].to_vec()).collect();
    let may_have_none = file == "selectable.tsv" || (file == "columns.tsv" && is_generator(kind));
    assert!(!rows.is_empty() || may_have_none, "{file} has no row of {kind}");
    rows
}

fn expected(kind: &str) -> BTreeMap<String, Row> {
    let rows = table("fields.tsv", kind).into_iter().map(|row| {
        let list = |text: &str, separator: &str| -> Vec<String> {
            text.split(separator).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let default = (!row[3].is_empty()).then(|| serde_json::from_str(&row[3]).unwrap());
        let constraints = list(&row[4], "; ").into_iter().collect();
        (row[0].clone(), Row { type_: row[1].clone(), values: list(&row[2], "|"), default, constraints })
    });
    rows.collect()
}

fn row(schema: &JSONSchemaProps) -> Row {
    let json = serde_json::to_value(schema).unwrap();
    let mut constraints = BTreeSet::new();
    for (key, value) in json.as_object().unwrap() {
        let value = match (key.as_str(), value) {
            // Shown in their own columns or compared as fields; rules have their own tests.
            (
                "type"
                | "enum"
                | "default"
                | "description"
                | "properties"
                | "items"
                | "additionalProperties"
                | "x-kubernetes-int-or-string"
                | "x-kubernetes-validations",
                _,
            ) => continue,
            ("anyOf", _) if schema.x_kubernetes_int_or_string == Some(true) => continue,
            (_, Value::Bool(true)) => "True".to_owned(),
            (_, Value::String(text)) => text.clone(),
            // The schema writes bounds as numbers of any type.
            (_, Value::Number(number)) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
            (_, Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            (_, other) => other.to_string(),
        };
        constraints.insert(format!("{key}={value}"));
    }
    let type_ = match schema.x_kubernetes_int_or_string {
        Some(true) => "int-or-string".to_owned(),
        _ => schema.type_.clone().unwrap_or_default(),
    };
    let values = schema.enum_.iter().flatten().map(|value| value.0.as_str().unwrap().to_owned()).collect();
    Row { type_, values, default: schema.default.as_ref().map(|default| default.0.clone()), constraints }
}

/// The fields of a version, without our deliberate additions.
fn actual(version: &CustomResourceDefinitionVersion, kind: &str) -> BTreeMap<String, Row> {
    let additions = additions(kind);
    let is_added = |path: &str, what: &str| additions.iter().any(|(added, of)| added == path && *of == what);
    let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let fields = crd::fields("", schema).into_iter();
    let fields = fields.filter(|field| field.path.starts_with(".spec") || field.path.starts_with(".status"));
    let rows = fields.filter(|field| !is_added(&field.path, "a field")).map(|field| {
        let mut row = row(field.schema);
        row.constraints.retain(|constraint| !is_added(&field.path, constraint));
        if field.path == ".status" {
            // What was never worked on is not ready, also to those who look at generations alone.
            assert_eq!(row.default.take(), Some(serde_json::json!({"observedGeneration": -1})), "{kind}");
        }
        (field.path, row)
    });
    rows.collect()
}

fn each_version(check: impl Fn(&CustomResourceDefinition, &CustomResourceDefinitionVersion, &str)) {
    for definition in crd::all() {
        for version in &definition.spec.versions {
            check(&definition, version, &definition.spec.names.kind);
        }
    }
}

#[test]
fn every_field_of_eso_is_there_with_its_constraints_and_none_beyond() {
    each_version(|_, version, kind| {
        let (expected, actual) = (expected(kind), actual(version, kind));
        let mut differences = Vec::new();
        for path in expected.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
            let (expected, actual) = (expected.get(path), actual.get(path));
            if expected != actual {
                differences.push(format!("{path}\n  in ESO: {expected:?}\n  here:   {actual:?}"));
            }
        }
        assert!(differences.is_empty(), "{kind} {}:\n{}", version.name, differences.join("\n"));
    });
}

#[test]
fn every_addition_to_the_schema_of_eso_is_still_there() {
    each_version(|_, version, kind| {
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let fields = crd::fields("", schema);
        for (path, what) in additions(kind) {
            let field = fields.iter().find(|field| field.path == path);
            let field = field.unwrap_or_else(|| panic!("{kind} has no {path}: remove it from ADDITIONS"));
            assert!(what == "a field" || row(field.schema).constraints.contains(what), "{kind} {path}: {what}");
        }
    });
}

#[test]
fn printer_columns_are_those_of_eso() {
    each_version(|_, version, kind| {
        let columns = version.additional_printer_columns.iter().flatten().map(|column| {
            let priority = column.priority.unwrap_or_default().to_string();
            vec![column.name.clone(), column.json_path.clone(), column.type_.clone(), priority]
        });
        let mut expected = table("columns.tsv", kind);
        if ["ExternalSecret", "PushSecret"].contains(&kind) {
            expected.push(["Cause", ".status.cause", "string", "1"].map(str::to_owned).to_vec());
        }
        assert_eq!(columns.collect::<Vec<_>>(), expected, "{kind} {}", version.name);
    });
}

#[test]
fn selectable_fields_are_those_of_eso() {
    each_version(|_, version, kind| {
        let fields = version.selectable_fields.iter().flatten().map(|field| vec![field.json_path.clone()]);
        assert_eq!(fields.collect::<Vec<_>>(), table("selectable.tsv", kind), "{kind} {}", version.name);
    });
}

#[test]
fn scopes_and_the_status_subresource_are_those_of_eso() {
    each_version(|definition, version, kind| {
        let scope = if kind.starts_with("Cluster") { "Cluster" } else { "Namespaced" };
        assert_eq!(definition.spec.scope, scope);
        let subresources = version.subresources.as_ref().unwrap();
        assert!(subresources.status.is_some(), "{kind} {}", version.name);
    });
}

#[test]
fn every_part_of_a_spec_is_described_in_words_for_people() {
    each_version(|_, version, kind| {
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        for field in crd::fields("", schema) {
            let described_by_its_parent = field.path.ends_with("[]") || field.path.ends_with("{}");
            if described_by_its_parent || field.path == ".metadata" {
                continue;
            }
            let description = field.schema.description.as_deref().unwrap_or_default();
            assert!(!description.is_empty(), "{kind} {} has no description", field.path);
            assert!(!description.contains("[`"), "{kind} {}: a link of rustdoc in {description:?}", field.path);
        }
    });
}
