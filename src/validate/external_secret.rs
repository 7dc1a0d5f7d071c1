//! Checks of an ExternalSecret: those of ESO's webhook, in its order.

use std::collections::HashSet;

use super::Problem;
use crate::api::v1::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecretDataFrom, ExternalSecretSpec, ExternalSecretTemplate, TemplateFrom,
};

/// The type of Secrets that hold a service account's token.
const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
/// The annotation that names the service account of such a Secret.
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
/// The type of Secrets that let machines join the cluster.
const BOOTSTRAP_TOKEN: &str = "bootstrap.kubernetes.io/token";

/// All that is wrong with a spec; empty if nothing is.
#[must_use]
pub fn check(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut problems = policies(spec);
    if spec.data.is_empty() && spec.data_from.is_empty() {
        problems.push(Problem::new("spec", "neither data nor dataFrom is given; name at least one value to read"));
    }
    let target = spec.target.as_ref();
    if let Some(template) = target.and_then(|target| target.template.as_deref()) {
        problems.extend(privileged_template(template));
        if target.is_none_or(|target| writes_secret(target.manifest.as_ref())) {
            problems.extend(template.template_from.iter().enumerate().filter_map(template_target));
        }
    }
    problems.extend(spec.data_from.iter().enumerate().flat_map(source));
    problems.extend(duplicate_keys(spec));
    problems
}

fn policies(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let target = spec.target.clone().unwrap_or_default();
    let field = "spec.target.deletionPolicy";
    match (target.deletion_policy, target.creation_policy) {
        (DeletionPolicy::Delete, CreationPolicy::Merge | CreationPolicy::None | CreationPolicy::CreateOrMerge) => {
            vec![Problem::new(
                field,
                "Delete must not be used when the controller does not own the Secret; set creationPolicy: Owner, or deletionPolicy: Retain",
            )]
        }
        (DeletionPolicy::Merge, CreationPolicy::None) => vec![Problem::new(
            field,
            "Merge must not be used with creationPolicy: None, since there is no Secret to merge with; set deletionPolicy: Retain",
        )],
        _ => Vec::new(),
    }
}

/// Refuses Secrets through which somebody who may write ExternalSecrets would get more rights.
fn privileged_template(template: &ExternalSecretTemplate) -> Option<Problem> {
    let field = "spec.target.template.type";
    match template.type_.as_deref() {
        Some(BOOTSTRAP_TOKEN) => {
            Some(Problem::new(field, format!("{BOOTSTRAP_TOKEN:?} is not allowed; use another type")))
        }
        Some(SERVICE_ACCOUNT_TOKEN) => {
            let annotations = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
            let named = annotations.is_some_and(|annotations| annotations.contains_key(SERVICE_ACCOUNT_NAME));
            let rendered = template.template_from.iter().any(|from| from.target.eq_ignore_ascii_case("Annotations"));
            (named || rendered).then(|| {
                Problem::new(
                    field,
                    format!("{SERVICE_ACCOUNT_TOKEN:?} is not allowed with the annotation {SERVICE_ACCOUNT_NAME:?} or a templateFrom of Annotations; use another type"),
                )
            })
        }
        _ => None,
    }
}

fn writes_secret(manifest: Option<&crate::api::v1::external_secret::ManifestReference>) -> bool {
    manifest.is_none_or(|manifest| manifest.api_version == "v1" && manifest.kind == "Secret")
}

fn template_target((index, from): (usize, &TemplateFrom)) -> Option<Problem> {
    let known = ["", "Data", "Annotations", "Labels"].iter().any(|known| from.target.eq_ignore_ascii_case(known));
    (!known).then(|| {
        Problem::new(
            format!("spec.target.template.templateFrom[{index}].target"),
            format!("{:?} is not allowed for a Secret; use Data, Annotations or Labels", from.target),
        )
    })
}

fn source((index, entry): (usize, &ExternalSecretDataFrom)) -> Vec<Problem> {
    let field = format!("spec.dataFrom[{index}]");
    let generator = entry.source_ref.as_ref().is_some_and(|source| source.generator_ref.is_some());
    let store = entry.source_ref.as_ref().is_some_and(|source| source.store_ref.is_some());
    let given = usize::from(entry.extract.is_some()) + usize::from(entry.find.is_some()) + usize::from(generator);
    let mut problems = Vec::new();
    if given > 1 {
        problems.push(Problem::new(&field, "extract, find and sourceRef.generatorRef exclude each other; keep one"));
    }
    if given == 0 && entry.source_ref.is_none() {
        problems.push(Problem::new(&field, "none of extract, find and sourceRef is given; give one"));
    }
    if entry.source_ref.is_some() && !generator && !store {
        problems
            .push(Problem::new(format!("{field}.sourceRef"), "neither storeRef nor generatorRef is given; give one"));
    }
    problems
}

fn duplicate_keys(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let policy = spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default();
    if policy != DeletionPolicy::Retain {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let entries = spec.data.iter().enumerate();
    let repeated = entries.filter(|(_, entry)| !seen.insert(entry.secret_key.as_str()));
    repeated
        .map(|(index, entry)| {
            Problem::new(
                format!("spec.data[{index}].secretKey"),
                format!("{:?} is given twice; every key of the Secret has one value", entry.secret_key),
            )
        })
        .collect()
}
