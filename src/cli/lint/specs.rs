//! What the webhook and the controllers say of a spec without a cluster.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::object::Object;
use super::problem::{Finding, Id};
use crate::api::Parsed;
use crate::api::generators::GeneratorKind;
use crate::api::v1::external_secret::TemplateFrom;
use crate::api::v1::secret_store::SecretStoreSpec;
use crate::api::v1::{ClusterExternalSecretSpec, ExternalSecretSpec, StoreKind};
use crate::cli::nearest::nearest;
use crate::provider::StoreView;
use crate::provider::azure::{Options, OwnIdentity};
use crate::template::{Engine, funcs};
use crate::validate::{self, Problem};

/// All that is found of an object of ours whose fields fit the schema.
pub(super) fn check(object: &Object<'_>) -> Vec<Finding> {
    let spec = object.value.get("spec").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    match object.kind() {
        "ExternalSecret" => parsed(&spec, "spec", external_secret),
        "ClusterExternalSecret" => parsed(&spec, "spec", cluster_external_secret),
        "SecretStore" => parsed(&spec, "spec", |spec| store(object, StoreKind::SecretStore, spec)),
        "ClusterSecretStore" => parsed(&spec, "spec", |spec| store(object, StoreKind::ClusterSecretStore, spec)),
        kind => match GeneratorKind::named(kind) {
            Some(kind) => generator(object, kind, &spec),
            None => Vec::new(),
        },
    }
}

/// The spec of an object, if it can be read.
pub(super) fn spec_of<T: DeserializeOwned + Clone>(object: &Object<'_>) -> Option<T> {
    serde_json::from_value::<Parsed<T>>(object.value.get("spec")?.clone()).ok()?.get().ok().cloned()
}

fn parsed<T: DeserializeOwned>(spec: &Value, at: &str, check: impl FnOnce(&T) -> Vec<Finding>) -> Vec<Finding> {
    let Ok(parsed) = serde_json::from_value::<Parsed<T>>(spec.clone()) else { return Vec::new() };
    match parsed.get() {
        Ok(spec) => check(spec),
        // A store of the fake provider holds values.
        Err(field) if field.path.starts_with("spec.provider.fake") => {
            vec![Finding::error(Id::Type, field.path.clone(), "does not fit the schema of a store")]
        }
        Err(field) => {
            let path = field.path.strip_prefix("spec").map_or_else(|| field.path.clone(), |rest| format!("{at}{rest}"));
            vec![Finding::error(Id::Type, path, field.problem.clone())]
        }
    }
}

fn external_secret(spec: &ExternalSecretSpec) -> Vec<Finding> {
    let mut findings: Vec<_> = validate::external_secret::check(spec).into_iter().map(refused).collect();
    findings.extend(validate::external_secret::warnings(spec).into_iter().map(unwise));
    findings.extend(validate::unsupported::check(spec).into_iter().map(unsupported));
    findings.extend(missing_keys(spec, "spec"));
    findings
}

fn cluster_external_secret(spec: &ClusterExternalSecretSpec) -> Vec<Finding> {
    let mut findings: Vec<_> = validate::cluster_external_secret::check(spec).into_iter().map(refused).collect();
    findings.extend(validate::cluster_external_secret::warnings(spec).into_iter().map(unwise));
    if let Ok(template) = validate::cluster_external_secret::template(spec) {
        findings.extend(missing_keys(&template, "spec.externalSecretSpec"));
    }
    findings
}

fn store(object: &Object<'_>, kind: StoreKind, spec: &SecretStoreSpec) -> Vec<Finding> {
    let namespace = (kind == StoreKind::SecretStore).then(|| object.namespace());
    let view = StoreView { kind, namespace, name: object.name(), spec };
    // What an operator may allow is no mistake of whoever wrote the store.
    let allowing = Options { own_identity: OwnIdentity::AllStores, ..Options::default() };
    let wrong = validate::secret_store::check(&view, &allowing);
    let unless_allowed = validate::secret_store::check(&view, &Options::default());
    let unless_allowed: Vec<_> = unless_allowed.into_iter().filter(|problem| !wrong.contains(problem)).collect();
    let warnings = validate::secret_store::warnings(kind, spec).into_iter();
    let (others, warnings): (Vec<_>, Vec<_>) =
        warnings.partition(|Problem { problem, .. }| problem.contains("not served by this controller"));
    let mut findings: Vec<_> = wrong.into_iter().map(refused).collect();
    findings.extend(unless_allowed.into_iter().chain(warnings).map(unwise));
    findings.extend(others.into_iter().map(|found| Finding::warning(Id::Unsupported, found.field, found.problem)));
    findings
}

fn generator(object: &Object<'_>, kind: GeneratorKind, spec: &Value) -> Vec<Finding> {
    let namespace = (kind != GeneratorKind::ClusterGenerator).then(|| object.namespace());
    let warnings = validate::generator::warnings(kind, &spec.to_string(), namespace, &Options::default());
    warnings.into_iter().map(refused).collect()
}

/// What begins the message about a template that cannot be parsed.
const TEMPLATE: &str = "the template cannot be parsed";

fn refused(Problem { field, problem }: Problem) -> Finding {
    let id = if problem.starts_with(TEMPLATE) { Id::Template } else { Id::Rejected };
    Finding::error(id, field, problem)
}

fn unwise(Problem { field, problem }: Problem) -> Finding {
    let id = if problem.starts_with(TEMPLATE) { Id::Template } else { Id::Unwise };
    Finding::warning(id, field, problem)
}

fn unsupported(Problem { field, problem }: Problem) -> Finding {
    Finding::error(Id::Unsupported, field, problem)
}

/// Names in templates that no entry gives, where it is known which names there are.
fn missing_keys(spec: &ExternalSecretSpec, at: &str) -> Vec<Finding> {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(funcs::all()));
    let Some(template) = spec.target.as_ref().and_then(|target| target.template.as_deref()) else {
        return Vec::new();
    };
    if !spec.data_from.is_empty() || spec.data.is_empty() {
        return Vec::new();
    }
    let given: BTreeSet<&str> = spec.data.iter().map(|entry| entry.secret_key.as_str()).collect();
    let field = format!("{at}.target.template");
    let data = template.data.iter().flatten().map(|(key, text)| (format!("{field}.data[{key:?}]"), text));
    let literal = |(index, from): (usize, &'_ TemplateFrom)| {
        from.literal.clone().map(|text| (format!("{field}.templateFrom[{index}].literal"), text))
    };
    let literals: Vec<_> = template.template_from.iter().enumerate().filter_map(literal).collect();
    let mut findings = Vec::new();
    for (field, text) in data.chain(literals.iter().map(|(field, text)| (field.clone(), text))) {
        let Ok(parsed) = ENGINE.parse("template", text.as_bytes()) else { continue };
        for name in parsed.names().into_iter().filter(|name| !given.contains(name.as_str())) {
            let nearest = nearest(&name, given.iter().copied());
            let said = nearest.map(|name| format!("; did you mean .{name}?")).unwrap_or_default();
            let message = format!("no entry of data has the secretKey {name:?}, which the template reads{said}");
            findings.push(Finding::error(Id::MissingKey, &field, message));
        }
    }
    findings
}
