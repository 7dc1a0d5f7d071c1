//! Checks of an ExternalSecret: first those of ESO's webhook, in its order, then those of its expressions.

use std::collections::HashSet;
use std::time::Duration;

use super::Problem;
use super::expressions::{self, Patterns, TemplateFault};
use super::sync_windows;
use crate::api::template_target::TemplateTargetError;
use crate::api::v1::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecretDataFrom, ExternalSecretSpec, ExternalSecretTemplate,
    ManifestReference, RefreshPolicy, RewriteRegexp, TemplateFrom,
};
use crate::api::{GROUP, TemplateTarget, limits};
use crate::provider::azure::validate as azurekv;
use crate::re2::UnknownGroup;

/// The type of Secrets for a service account's token.
const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
/// The annotation that names the service account of such a Secret.
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
/// The type of Secrets with which machines join the cluster.
const BOOTSTRAP_TOKEN: &str = "bootstrap.kubernetes.io/token";

/// Everything that is wrong with a spec; empty if nothing is.
#[must_use]
pub fn check(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let long_lists = long_lists(spec);
    if !long_lists.is_empty() {
        // Thousands of entries are not checked further.
        return long_lists;
    }
    let mut problems = policies(spec);
    if spec.data.is_empty() && spec.data_from.is_empty() {
        problems.push(Problem::new("spec", "neither data nor dataFrom is given; name at least one value to read"));
    }
    let target = spec.target.as_ref();
    let manifest = target.and_then(|target| target.manifest.as_ref());
    problems.extend(manifest.and_then(kind_of_target));
    if let Some(template) = target.and_then(|target| target.template.as_deref()) {
        problems.extend(privileged_template(template));
        let place = if manifest.is_none() { TemplateTarget::of_secret } else { TemplateTarget::of_object };
        problems.extend(template_targets(template, place));
    }
    problems.extend(names(spec));
    problems.extend(spec.data_from.iter().enumerate().flat_map(source));
    problems.extend(duplicate_keys(spec));
    problems.extend(malformed_expressions(spec));
    problems.extend(template_faults(spec).filter_map(|fault| match fault {
        TemplateFault::Malformed(problem) => Some(problem),
        TemplateFault::UnknownFunction(_) => None,
    }));
    problems
}

/// What is legal in a spec, but probably a mistake.
#[must_use]
pub fn warnings(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut warnings: Vec<_> = interval(spec).into_iter().collect();
    warnings.extend(sync_windows::warnings(spec));
    warnings.extend(missing_store(spec));
    warnings.extend(super::generator::of_external_secret(spec));
    warnings.extend(unlikely_references(spec));
    warnings.extend(of_secrets_alone(spec));
    if spec.target.as_ref().is_some_and(|target| target.deletion_policy != DeletionPolicy::Retain) {
        warnings.extend(repeated_keys(spec, "is given twice; the last one counts"));
    }
    warnings.extend(unknown_groups(spec));
    warnings.extend(spec.data_from.iter().enumerate().filter_map(path));
    warnings.extend(template_faults(spec).filter_map(|fault| match fault {
        TemplateFault::UnknownFunction(problem) => Some(problem),
        TemplateFault::Malformed(_) => None,
    }));
    warnings
}

fn path((index, entry): (usize, &ExternalSecretDataFrom)) -> Option<Problem> {
    entry.find.as_ref()?.path.as_ref()?;
    let field = format!("spec.dataFrom[{index}].find.path");
    Some(Problem::new(field, "means nothing for Key Vault, which has no folders; search by name or tags"))
}

/// A shorter interval costs requests that all users of the vault share.
const OFTEN: Duration = Duration::from_secs(10);

fn interval(spec: &ExternalSecretSpec) -> Option<Problem> {
    let is_periodic = matches!(spec.refresh_policy, None | Some(RefreshPolicy::Periodic));
    let interval = spec.refresh_interval.filter(|_| is_periodic)?;
    let problem = match interval.positive() {
        None => "no later value is ever fetched; say so with refreshPolicy: OnChange, or give an interval",
        Some(interval) if interval < OFTEN => {
            "is very short; each refresh is a request to the vault, and all its users share its limit"
        }
        Some(_) => return None,
    };
    Some(Problem::new("spec.refreshInterval", problem))
}

/// Entries without a store to read from.
fn missing_store(spec: &ExternalSecretSpec) -> Option<Problem> {
    let is_named =
        spec.secret_store_ref.as_ref().is_some_and(|store| store.name.as_ref().is_some_and(|name| !name.is_empty()));
    let own = |source: Option<&crate::api::v1::external_secret::SourceRef>| source.is_some();
    let all_have_their_own = spec.data.iter().all(|entry| own(entry.source_ref.as_deref()))
        && spec.data_from.iter().all(|entry| own(entry.source_ref.as_deref()));
    (!is_named && !all_have_their_own).then(|| {
        Problem::new("spec.secretStoreRef.name", "names no store, and not every entry has a sourceRef; set it")
    })
}

/// Names that become part of the API server's URLs.
fn names(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let Some(target) = &spec.target else { return Vec::new() };
    let mut named = vec![("spec.target.name".to_owned(), target.name.as_deref().unwrap_or_default())];
    let sources = target.template.iter().flat_map(|template| template.template_from.iter().enumerate());
    for (index, from) in sources {
        let field = format!("spec.target.template.templateFrom[{index}]");
        let references = [("configMap", &from.config_map), ("secret", &from.secret)];
        let given = references.into_iter().filter_map(|(kind, reference)| Some((kind, reference.as_ref()?)));
        named.extend(given.map(|(kind, reference)| (format!("{field}.{kind}.name"), reference.name.as_str())));
    }
    named.into_iter().filter_map(|(field, name)| expressions::object_name(field, name)).collect()
}

/// References that no vault can have, although other providers may.
fn unlikely_references(spec: &ExternalSecretSpec) -> Vec<Problem> {
    const ONLY: &str = "; it can be right for a store of the fake provider only";
    let of_data = spec.data.iter().enumerate();
    let of_data = of_data.map(|(index, entry)| (format!("spec.data[{index}].remoteRef"), &entry.remote_ref));
    let of_sets = spec.data_from.iter().enumerate();
    let of_sets =
        of_sets.filter_map(|(index, entry)| Some((format!("spec.dataFrom[{index}].extract"), entry.extract.as_ref()?)));
    let problems = of_data.chain(of_sets).filter_map(|(field, reference)| {
        Some(Problem::new(field, format!("{}{ONLY}", azurekv::reference(reference)?)))
    });
    problems.collect()
}

fn policies(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let policies = spec.target.as_ref().map(|target| (target.deletion_policy, target.creation_policy));
    let field = "spec.target.deletionPolicy";
    match policies.unwrap_or_default() {
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

/// Rejects Secrets with which users who may write ExternalSecrets would gain rights.
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

/// Kinds that the controller may write for its own work, but not for a manifest.
const OWN_KINDS: [(&str, &str); 3] = [("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease")];

/// What can be said about the kind of a generic target without asking the cluster.
fn kind_of_target(manifest: &ManifestReference) -> Option<Problem> {
    let ManifestReference { api_version, kind } = manifest;
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    // Both become part of a URL.
    let is_plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
    };
    if !is_plain(version, b"") || (api_version.contains('/') && !is_plain(group, b".-")) || group.contains("..") {
        let problem =
            format!("{api_version:?} is not a version of an API; write group/version, or v1 for the core group");
        return Some(Problem::new("spec.target.manifest.apiVersion", problem));
    }
    let problem = if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
        format!("{kind:?} is not a kind; name one such as ConfigMap")
    } else if (group, kind.as_str()) == ("", "Secret") {
        "a Secret is written without a manifest; leave spec.target.manifest out".to_owned()
    } else if OWN_KINDS.contains(&(group, kind)) || group == GROUP || group.ends_with(&format!(".{GROUP}")) {
        format!(
            "{kind} of {api_version} is not allowed: the controller works with objects of this kind itself; use another kind"
        )
    } else {
        return None;
    };
    Some(Problem::new("spec.target.manifest.kind", problem))
}

/// Entries of `templateFrom` that cannot write to their target.
fn template_targets(
    template: &ExternalSecretTemplate,
    place: fn(&str) -> Result<TemplateTarget, TemplateTargetError>,
) -> Vec<Problem> {
    let entries = template.template_from.iter().enumerate();
    let problem = |(index, from): (usize, &TemplateFrom)| {
        let error = place(&from.target).err()?;
        Some(Problem::new(format!("spec.target.template.templateFrom[{index}].target"), error.to_string()))
    };
    entries.filter_map(problem).collect()
}

/// Fields that have no meaning for a generic target.
fn of_secrets_alone(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let Some(target) = spec.target.as_ref().filter(|target| target.manifest.is_some()) else { return Vec::new() };
    let template = target.template.as_deref();
    let given = [
        (target.immutable == Some(true), "spec.target.immutable"),
        (template.is_some_and(|template| template.type_.is_some()), "spec.target.template.type"),
    ];
    let problem = "has no effect with spec.target.manifest; leave it out";
    given.into_iter().filter(|(given, _)| *given).map(|(_, field)| Problem::new(field, problem)).collect()
}

fn source((index, entry): (usize, &ExternalSecretDataFrom)) -> Vec<Problem> {
    let field = format!("spec.dataFrom[{index}]");
    let generator = entry.source_ref.as_deref().is_some_and(|source| source.generator_ref.is_some());
    let store = entry.source_ref.as_deref().is_some_and(|source| source.store_ref.is_some());
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
    if policy == DeletionPolicy::Retain {
        repeated_keys(spec, "is given twice; every key of the Secret has one value")
    } else {
        Vec::new()
    }
}

fn repeated_keys(spec: &ExternalSecretSpec, problem: &str) -> Vec<Problem> {
    let mut seen = HashSet::new();
    let entries = spec.data.iter().enumerate();
    let repeated = entries.filter(|(_, entry)| !seen.insert(entry.secret_key.as_str()));
    repeated
        .map(|(index, entry)| {
            Problem::new(format!("spec.data[{index}].secretKey"), format!("{:?} {problem}", entry.secret_key))
        })
        .collect()
}

/// Calls `each` with each regular expression of a spec: its field, its text, and its replacement.
fn regular_expressions(spec: &ExternalSecretSpec, mut each: impl FnMut(Expression<'_>)) {
    for (entry, from) in spec.data_from.iter().enumerate() {
        let name = from.find.as_ref().and_then(|find| find.name.as_ref()).and_then(|name| name.regexp.as_ref());
        if let Some(source) = name {
            each(Expression { entry, rewrite: None, source, target: "" });
        }
        for (rewrite, step) in from.rewrite.iter().enumerate() {
            if let Some(RewriteRegexp { source, target }) = &step.regexp {
                each(Expression { entry, rewrite: Some(rewrite), source, target });
            }
        }
    }
}

/// A regular expression and its location.
#[derive(Clone, Copy)]
struct Expression<'a> {
    /// The entry of `dataFrom`.
    entry: usize,
    /// The rewrite; `None` for that of `find`.
    rewrite: Option<usize>,
    source: &'a str,
    target: &'a str,
}

impl Expression<'_> {
    fn field(self) -> String {
        match self.rewrite {
            Some(rewrite) => format!("spec.dataFrom[{}].rewrite[{rewrite}].regexp.source", self.entry),
            None => format!("spec.dataFrom[{}].find.name.regexp", self.entry),
        }
    }
}

fn malformed_expressions(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut patterns = Patterns::default();
    regular_expressions(spec, |expression| {
        patterns.check(|| expression.field(), expression.source);
    });
    patterns.into_problems()
}

/// Replacements such as `$1_NAME`, in which `1_NAME` names a group that does not exist.
fn unknown_groups(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let (mut patterns, mut problems) = (Patterns::default(), Vec::new());
    regular_expressions(spec, |expression| {
        let Some(pattern) = patterns.check(String::new, expression.source) else { return };
        for UnknownGroup { name, meant } in pattern.unknown_groups(expression.target) {
            let remedy = match meant {
                Some(meant) => format!("write {meant}"),
                None => "name one of its groups, such as ${1}".to_owned(),
            };
            let problem =
                format!("${name} stands for a group that the source does not have, and so for nothing; {remedy}");
            problems.push(Problem::new(expression.field().replace(".source", ".target"), problem));
        }
    });
    problems
}

/// Lists that exceed the CRD's limit, which an older CRD may have admitted.
fn long_lists(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let count = |field: &str, items, most| expressions::count(|| field.to_owned(), items, most);
    let mut problems: Vec<_> = [
        count("spec.data", spec.data.len(), limits::DATA),
        count("spec.dataFrom", spec.data_from.len(), limits::DATA_FROM),
        count(
            "spec.syncWindows.windows",
            spec.sync_windows.as_ref().map_or(0, |windows| windows.windows.len()),
            limits::WINDOWS,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (index, entry) in spec.data_from.iter().enumerate() {
        let field = format!("spec.dataFrom[{index}].rewrite");
        problems.extend(count(&field, entry.rewrite.len(), limits::REWRITES));
        let merges =
            entry.rewrite.iter().enumerate().filter_map(|(step, rewrite)| Some((step, rewrite.merge.as_ref()?)));
        problems.extend(merges.filter_map(|(step, merge)| {
            count(&format!("{field}[{step}].merge.priority"), merge.priority.len(), limits::PRIORITIES)
        }));
    }
    let Some(template) = spec.target.as_ref().and_then(|target| target.template.as_deref()) else { return problems };
    let field = "spec.target.template";
    problems.extend(count(&format!("{field}.templateFrom"), template.template_from.len(), limits::TEMPLATE_FROM));
    let finalizers = template.metadata.as_ref().map_or(0, |metadata| metadata.finalizers.len());
    problems.extend(count(&format!("{field}.metadata.finalizers"), finalizers, limits::FINALIZERS));
    for (index, from) in template.template_from.iter().enumerate() {
        let references = [("configMap", &from.config_map), ("secret", &from.secret)];
        problems.extend(references.into_iter().filter_map(|(kind, reference)| {
            let items = reference.as_ref()?.items.len();
            count(&format!("{field}.templateFrom[{index}].{kind}.items"), items, limits::TEMPLATE_ITEMS)
        }));
    }
    problems
}

/// What is wrong with the templates of a spec. Those in ConfigMaps and Secrets are unknown here.
fn template_faults(spec: &ExternalSecretSpec) -> impl Iterator<Item = TemplateFault> {
    let mut templates = Vec::new();
    for (index, entry) in spec.data_from.iter().enumerate() {
        for (rewrite, step) in entry.rewrite.iter().enumerate() {
            let transform = step.transform.as_ref();
            templates.extend(transform.map(|transform| {
                (format!("spec.dataFrom[{index}].rewrite[{rewrite}].transform.template"), &transform.template)
            }));
        }
    }
    let template = spec.target.as_ref().and_then(|target| target.template.as_deref());
    templates.extend(template.into_iter().flat_map(|template| template_texts("spec.target.template", template)));
    templates.into_iter().filter_map(|(field, text)| expressions::template(&field, text))
}

/// The texts of a template that stands at `field`, each with its own field. Those in ConfigMaps and Secrets are not known here.
pub(super) fn template_texts<'a>(field: &str, template: &'a ExternalSecretTemplate) -> Vec<(String, &'a String)> {
    let mut texts = Vec::new();
    let metadata = template.metadata.as_ref();
    let maps = [
        ("data", template.data.as_ref()),
        ("metadata.annotations", metadata.and_then(|metadata| metadata.annotations.as_ref())),
        ("metadata.labels", metadata.and_then(|metadata| metadata.labels.as_ref())),
    ];
    for (name, map) in maps {
        let entries = map.into_iter().flatten();
        texts.extend(entries.map(|(key, text)| (format!("{field}.{name}[{key:?}]"), text)));
    }
    for (index, from) in template.template_from.iter().enumerate() {
        let literal = from.literal.as_ref();
        texts.extend(literal.map(|text| (format!("{field}.templateFrom[{index}].literal"), text)));
    }
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(change: &Value) -> ExternalSecretSpec {
        let mut spec = json!({
            "secretStoreRef": {"name": "vault"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_good_spec_has_no_problem_and_no_warning() {
        let good = spec(&json!({
            "refreshInterval": "1h",
            "dataFrom": [{"find": {"name": {"regexp": "^a.*$"}}, "rewrite": [
                {"regexp": {"source": "a(.*)", "target": "$1"}}, {"transform": {"template": "{{ .value | upper }}"}},
            ]}],
            "target": {"template": {"data": {"a": "{{ .a }}"}, "templateFrom": [{"literal": "b: {{ .b }}"}]}},
        }));
        assert_eq!(check(&good), []);
        assert_eq!(warnings(&good), []);
    }

    #[test]
    fn expressions_that_cannot_be_used_are_named_with_their_field() {
        let transform = |text: &str| json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"transform": {"template": text}}]}]});
        let template = |template: Value| json!({"target": {"template": template}});
        let cases = [
            (json!({"dataFrom": [{"find": {"name": {"regexp": "a("}}}]}), "spec.dataFrom[0].find.name.regexp: "),
            (
                json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"regexp": {"source": "[", "target": ""}}]}]}),
                "spec.dataFrom[0].rewrite[0].regexp.source: ",
            ),
            (transform("{{ .value"), "spec.dataFrom[0].rewrite[0].transform.template: "),
            (template(json!({"data": {"tls.crt": "{{ if }}"}})), "spec.target.template.data[\"tls.crt\"]: "),
            (
                template(json!({"metadata": {"labels": {"a": "{{ end }}"}}})),
                "spec.target.template.metadata.labels[\"a\"]: ",
            ),
            (template(json!({"templateFrom": [{"literal": "{{"}]})), "spec.target.template.templateFrom[0].literal: "),
        ];
        for (change, field) in cases {
            let problems = check(&spec(&change));
            assert_eq!(problems.len(), 1, "{change}: {problems:?}");
            assert!(problems[0].to_string().starts_with(field), "{problems:?}");
        }
    }

    fn rewriting(sources: &[String]) -> ExternalSecretSpec {
        let steps: Vec<_> = sources.iter().map(|source| json!({"regexp": {"source": source, "target": "a"}})).collect();
        let entries: Vec<_> =
            steps.chunks(100).map(|steps| json!({"extract": {"key": "a"}, "rewrite": steps})).collect();
        spec(&json!({"dataFrom": entries}))
    }

    #[test]
    fn regular_expressions_are_bounded_together_and_the_first_problems_are_reported() {
        let sane: Vec<_> = (0..400).map(|number| format!("^team-{number}-([a-z0-9-]+)\\.(?P<end>.*)$")).collect();
        assert_eq!(check(&rewriting(&sane)), []);
        let problems = check(&rewriting(&vec![r"\pL{400}".to_owned(); 1250]));
        assert_eq!(problems.len(), 10, "{problems:?}");
        assert!(
            problems[0].to_string().contains("one has 100000 states, and 1048576 states times groups"),
            "{problems:?}"
        );
        let problems = check(&rewriting(&vec![r"\pL{60}".to_owned(); 200]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = problems[0].to_string();
        assert!(problem.starts_with("spec.dataFrom[0].rewrite[2].regexp.source: "), "{problem}");
        assert!(problem.contains("200000 states"), "{problem}");
    }

    #[test]
    fn lists_that_are_too_long_are_refused_with_their_length() {
        let entry = |number: usize| json!({"secretKey": format!("k{number}"), "remoteRef": {"key": "a"}});
        let entries = |count: usize| json!((0..count).map(entry).collect::<Vec<_>>());
        assert_eq!(check(&spec(&json!({"data": entries(1000)}))), []);
        let window = json!({"schedule": "0 0 * * *", "duration": "1h"});
        let from = |count: usize| json!({"configMap": {"name": "a", "items": vec![json!({"key": "a"}); count]}});
        for (change, problem) in [
            (json!({"data": entries(1001)}), "spec.data: has 1001 items, more than the 1000 allowed"),
            (json!({"dataFrom": vec![json!({"extract": {"key": "a"}}); 201]}), "spec.dataFrom: has 201 items"),
            (
                json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": vec![json!({"merge": {}}); 101]}]}),
                "spec.dataFrom[0].rewrite: has 101 items",
            ),
            (
                json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"merge": {"priority": vec!["a"; 1001]}}]}]}),
                "spec.dataFrom[0].rewrite[0].merge.priority: has 1001 items",
            ),
            (
                json!({"syncWindows": {"kind": "deny", "windows": vec![window; 101]}}),
                "spec.syncWindows.windows: has 101 items",
            ),
            (
                json!({"target": {"template": {"templateFrom": vec![json!({"literal": "a: b"}); 201]}}}),
                "spec.target.template.templateFrom: has 201 items",
            ),
            (
                json!({"target": {"template": {"templateFrom": [from(201)]}}}),
                "spec.target.template.templateFrom[0].configMap.items: has 201 items",
            ),
            (
                json!({"target": {"template": {"metadata": {"finalizers": vec!["a/b"; 101]}}}}),
                "spec.target.template.metadata.finalizers: has 101 items",
            ),
        ] {
            let problems = check(&spec(&change));
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].to_string().starts_with(problem), "{problems:?}");
        }
    }

    #[test]
    fn names_that_would_lead_to_another_namespace_are_refused_with_their_field() {
        let from = |reference: Value| json!({"target": {"template": {"templateFrom": [reference]}}});
        let items = json!([{"key": "a"}]);
        let cases = [
            (json!({"target": {"name": "../../other/secrets/a"}}), "spec.target.name: \"../../other/secrets/a\""),
            (
                from(json!({"secret": {"name": "a/../../b", "items": items}})),
                "spec.target.template.templateFrom[0].secret.name: ",
            ),
            (
                from(json!({"configMap": {"name": "a?b", "items": items}})),
                "spec.target.template.templateFrom[0].configMap.name: ",
            ),
        ];
        for (change, field) in cases {
            let problems = check(&spec(&change));
            assert_eq!(problems.len(), 1, "{change}: {problems:?}");
            assert!(problems[0].to_string().starts_with(field), "{problems:?}");
        }
    }

    #[test]
    fn kinds_that_cannot_be_targets_are_refused() {
        let manifest =
            |api_version: &str, kind: &str| json!({"target": {"manifest": {"apiVersion": api_version, "kind": kind}}});
        for (api_version, kind) in [("v1", "ConfigMap"), ("argoproj.io/v1alpha1", "Application"), ("x.y/v1", "Secret")]
        {
            assert_eq!(check(&spec(&manifest(api_version, kind))), [], "{api_version} {kind}");
        }
        let cases = [
            ("v1", "Secret", "spec.target.manifest.kind: a Secret is written without a manifest"),
            ("v2", "Secret", "spec.target.manifest.kind: a Secret is written without a manifest"),
            ("v1", "Event", "spec.target.manifest.kind: Event of v1 is not allowed"),
            ("coordination.k8s.io/v1", "Lease", "spec.target.manifest.kind: Lease of coordination.k8s.io/v1 is not"),
            (
                "external-secrets.io/v1",
                "SecretStore",
                "spec.target.manifest.kind: SecretStore of external-secrets.io/v1",
            ),
            ("generators.external-secrets.io/v1alpha1", "Fake", "spec.target.manifest.kind: Fake of"),
            ("v1", "", "spec.target.manifest.kind: \"\" is not a kind"),
            ("v1", "Config\nMap", "spec.target.manifest.kind: \"Config\\nMap\" is not a kind"),
            ("../v1", "X", "spec.target.manifest.apiVersion: \"../v1\" is not a version"),
            ("v1?watch=true", "X", "spec.target.manifest.apiVersion: \"v1?watch=true\" is not a version"),
            ("a/b/c", "X", "spec.target.manifest.apiVersion: \"a/b/c\" is not a version"),
            ("/v1", "X", "spec.target.manifest.apiVersion: \"/v1\" is not a version"),
            ("x/", "X", "spec.target.manifest.apiVersion: \"x/\" is not a version"),
        ];
        for (api_version, kind, problem) in cases {
            let problems = check(&spec(&manifest(api_version, kind)));
            assert_eq!(problems.len(), 1, "{api_version} {kind}: {problems:?}");
            assert!(problems[0].to_string().starts_with(problem), "{problems:?}");
        }
    }

    #[test]
    fn templates_write_to_places_that_the_target_has() {
        let to = |target: &str, manifest: bool| {
            let mut change = json!({"target": {"template": {"templateFrom": [{"target": target, "literal": "a: b"}]}}});
            if manifest {
                change["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
            }
            let problems: Vec<_> = check(&spec(&change)).iter().map(ToString::to_string).collect();
            problems.join("; ")
        };
        assert_eq!([to("Labels", false), to("labels", true), to("spec.a[0]", true)], ["", "", ""]);
        let field = "spec.target.template.templateFrom[0].target";
        assert!(to("spec.a", false).starts_with(&format!("{field}: \"spec.a\" is not allowed for a Secret")));
        assert!(to("metadata.name", true).starts_with(&format!("{field}: \"metadata.name\" is not allowed")));
        assert!(to("spec.a[", true).starts_with(&format!("{field}: \"spec.a[\" has a malformed index")));
    }

    #[test]
    fn what_is_legal_but_unwise_is_a_warning_and_no_problem() {
        let cases = [
            (json!({"refreshInterval": "0"}), "spec.refreshInterval: no later value"),
            (json!({"refreshInterval": "1s"}), "spec.refreshInterval: is very short"),
            (json!({"secretStoreRef": {}}), "spec.secretStoreRef.name: names no store"),
            (
                json!({"data": [{"secretKey": "a", "remoteRef": {"key": "my secret"}}]}),
                "spec.data[0].remoteRef: remoteRef.key \"my secret\" names no object",
            ),
            (
                json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"regexp": {"source": "(.*)", "target": "$1_NAME"}}]}]}),
                "spec.dataFrom[0].rewrite[0].regexp.target: $1_NAME stands for a group that the source does not have, and so for nothing; write ${1}_NAME",
            ),
            (
                json!({"dataFrom": [{"extract": {"key": "a", "version": "latest"}}]}),
                "spec.dataFrom[0].extract: remoteRef.version",
            ),
            (
                json!({"dataFrom": [{"find": {"path": "a/b", "name": {"regexp": "c"}}}]}),
                "spec.dataFrom[0].find.path: means nothing for Key Vault",
            ),
            (
                json!({"target": {"deletionPolicy": "Delete"}, "data": [
                    {"secretKey": "a", "remoteRef": {"key": "a"}}, {"secretKey": "a", "remoteRef": {"key": "b"}},
                ]}),
                "spec.data[1].secretKey: \"a\" is given twice",
            ),
            (
                json!({"target": {"immutable": true, "manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}),
                "spec.target.immutable: has no effect with spec.target.manifest",
            ),
            (
                json!({"target": {"template": {"data": {"a": "{{ noSuchFunction }}"}}}}),
                "spec.target.template.data[\"a\"]: the template cannot be parsed, line 1",
            ),
        ];
        for (change, warning) in cases {
            let spec = spec(&change);
            assert_eq!(check(&spec), [], "{change}");
            let found = warnings(&spec);
            assert_eq!(found.len(), 1, "{change}: {found:?}");
            assert!(found[0].to_string().starts_with(warning), "{found:?}");
        }
    }
}
