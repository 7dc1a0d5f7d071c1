//! Checks of a PushSecret. ESO has no webhook for them, so none is refused: the webhook warns, and the controller reports in a
//! condition what it cannot push.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::expressions::{self, Patterns, TemplateFault};
use super::{Problem, external_secret, generator};
use crate::api::v1::external_secret::RemoteRef;
use crate::api::v1alpha1::push_secret::{PushSecretDataTo, PushSecretSpec};
use crate::api::{GoDuration, limits};
use crate::provider::azure::validate as azurekv;

/// The longest metadata of an entry, as JSON. Key Vault accepts no more.
const LONGEST_METADATA: usize = 16 << 10;

/// What keeps a PushSecret from being pushed, whatever the cluster and the provider contain.
#[must_use]
pub fn check(spec: &PushSecretSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(reference) = &spec.selector.generator_ref {
        let problem = generator::kind(reference).err();
        problems.extend(problem.map(|problem| Problem::new("spec.selector.generatorRef", problem.to_string())));
    } else if spec
        .selector
        .secret
        .as_ref()
        .is_none_or(|secret| secret.name.as_deref().is_none_or(str::is_empty) && secret.selector.is_none())
    {
        problems.push(Problem::new("spec.selector.secret", "set name or selector"));
    }
    for (field, count, most) in [
        ("spec.data", spec.data.len(), limits::DATA),
        ("spec.dataTo", spec.data_to.len(), limits::DATA_FROM),
        ("spec.secretStoreRefs", spec.secret_store_refs.len(), limits::PUSH_STORES),
    ] {
        if count > most {
            problems.push(Problem::new(
                field,
                format!("has {count} entries, and {most} is the most; make several PushSecrets"),
            ));
        }
    }
    if !problems.is_empty() {
        // Thousands of entries are not checked further.
        return problems;
    }
    problems.extend(selectors(spec).filter_map(|(field, selector)| {
        let problem = format!("has more than the {} labels and expressions allowed; use fewer", limits::SELECTOR);
        (!is_small(selector)).then(|| Problem::new(field, problem))
    }));
    let mut patterns = Patterns::default();
    problems.extend(spec.data_to.iter().enumerate().flat_map(|(index, set)| check_set(index, set, &mut patterns)));
    problems.extend(patterns.into_problems());
    for (field, metadata) in all_metadata(spec) {
        if metadata.to_string().len() > LONGEST_METADATA {
            problems.push(Problem::new(field, format!("has more than {} KiB", LONGEST_METADATA >> 10)));
        }
    }
    problems
}

/// Whether a label selector has no more labels and expressions than it may.
#[must_use]
pub fn is_small(selector: &LabelSelector) -> bool {
    let labels = selector.match_labels.as_ref().map_or(0, std::collections::BTreeMap::len);
    let expressions = selector.match_expressions.as_ref().map_or(0, Vec::len);
    labels + expressions <= limits::SELECTOR
}

/// The label selectors of a spec, with their fields.
fn selectors(spec: &PushSecretSpec) -> impl Iterator<Item = (String, &LabelSelector)> {
    let of_secret = spec.selector.secret.iter().filter_map(|secret| secret.selector.as_ref());
    let of_secret = of_secret.map(|selector| ("spec.selector.secret.selector".to_owned(), selector));
    let stores = spec.secret_store_refs.iter().enumerate();
    let stores = stores.map(move |(index, store)| (format!("spec.secretStoreRefs[{index}].labelSelector"), store));
    let sets = spec.data_to.iter().enumerate().filter_map(|(index, set)| {
        Some((format!("spec.dataTo[{index}].storeRef.labelSelector"), set.store_ref.as_ref()?))
    });
    let of_stores = stores.chain(sets).filter_map(|(field, store)| Some((field, store.label_selector.as_ref()?)));
    of_secret.chain(of_stores)
}

/// The metadata of objects, with their fields.
fn all_metadata(spec: &PushSecretSpec) -> impl Iterator<Item = (String, &Value)> {
    let of_data = spec.data.iter().map(|entry| entry.metadata.as_ref()).enumerate();
    let of_sets = spec.data_to.iter().map(|set| set.metadata.as_ref()).enumerate();
    let of_data = of_data.filter_map(|(index, metadata)| Some((format!("spec.data[{index}].metadata"), metadata?)));
    let of_sets = of_sets.filter_map(|(index, metadata)| Some((format!("spec.dataTo[{index}].metadata"), metadata?)));
    of_data.chain(of_sets)
}

/// Regular expressions go to `patterns`: they share a bound, and none is compiled here.
fn check_set(index: usize, set: &PushSecretDataTo, patterns: &mut Patterns) -> Vec<Problem> {
    let field = format!("spec.dataTo[{index}]");
    let mut problems = Vec::new();
    let has_remote_key = set.remote_key.as_deref().is_some_and(|key| !key.is_empty());
    if has_remote_key && !set.rewrite.is_empty() {
        problems.push(Problem::new(&field, "remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode (without remoteKey)"));
    }
    if set.rewrite.len() > limits::REWRITES {
        let problem = format!("has {} entries, and {} is the most", set.rewrite.len(), limits::REWRITES);
        problems.push(Problem::new(format!("{field}.rewrite"), problem));
        return problems;
    }
    if let Some(expression) = set.match_.as_ref().and_then(|filter| filter.regexp.as_deref()) {
        patterns.check(|| format!("{field}.match.regexp"), expression);
    }
    for (at, rewrite) in set.rewrite.iter().enumerate() {
        let field = format!("{field}.rewrite[{at}]");
        match (&rewrite.regexp, &rewrite.transform) {
            (Some(regexp), None) => drop(patterns.check(|| format!("{field}.regexp.source"), &regexp.source)),
            (None, Some(_)) => {}
            _ => problems.push(Problem::new(&field, "exactly one of regexp or transform must be set")),
        }
    }
    problems
}

/// What is valid, but probably a mistake.
#[must_use]
pub fn warnings(spec: &PushSecretSpec) -> Vec<Problem> {
    let mut warnings = Vec::new();
    if let Some(error) = spec.refresh_interval.as_ref().and_then(|text| text.parse::<GoDuration>().err()) {
        warnings.push(Problem::new("spec.refreshInterval", format!("{error}; it counts as 1h until then")));
    }
    if spec.secret_store_refs.is_empty() {
        warnings.push(Problem::new("spec.secretStoreRefs", "names no store, so nothing is pushed"));
    }
    if let Some(secret) = &spec.selector.secret {
        let is_named = secret.name.as_deref().is_some_and(|name| !name.is_empty());
        if is_named && secret.selector.is_some() {
            warnings.push(Problem::new(
                "spec.selector.secret.selector",
                "does not count beside name; leave one of the two out",
            ));
        }
        let is_empty = secret.selector.as_ref().is_some_and(|selector| {
            selector.match_labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty)
                && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
        });
        if !is_named && is_empty {
            warnings.push(Problem::new(
                "spec.selector.secret.selector",
                "is empty and selects all Secrets of the namespace",
            ));
        }
    }
    warnings.extend(same_objects(spec));
    warnings.extend(same_bundles(spec));
    warnings.extend(unlikely_objects(spec));
    warnings.extend(template_faults(spec));
    warnings
}

/// A key that is equal for all spellings of a remote key.
fn normal(remote_key: &str) -> String {
    remote_key.strip_prefix("secret/").unwrap_or(remote_key).to_ascii_lowercase()
}

/// Warns about entries for the same object that cannot be combined: only different properties can, and a single property is ignored.
fn same_objects(spec: &PushSecretSpec) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let mut seen = HashMap::new();
    let mut of_object: HashMap<_, Vec<_>> = HashMap::new();
    for (index, entry) in spec.data.iter().enumerate() {
        let remote = &entry.match_.remote_ref;
        let object = normal(&remote.remote_key);
        of_object.entry(object.clone()).or_default().push(index);
        let Some(earlier) = seen.insert((object, remote.property.as_str()), index) else { continue };
        let is_equal = spec.data[earlier].match_.remote_ref.remote_key == remote.remote_key;
        let follows = if is_equal { "so that nothing is pushed" } else { "only the last counts" };
        let field = format!("spec.data[{index}].match.remoteRef");
        warnings.push(Problem::new(field, format!("is the object of spec.data[{earlier}], too; {follows}")));
    }
    let mut groups: Vec<_> = of_object.into_values().collect();
    groups.sort_unstable();
    warnings.extend(groups.iter().filter_map(|group| mixed_properties(spec, group)));
    warnings
}

/// What is odd about the properties of entries for one object, if anything.
fn mixed_properties(spec: &PushSecretSpec, group: &[usize]) -> Option<Problem> {
    let is_whole = |index: &usize| spec.data[*index].match_.remote_ref.property.is_empty();
    let part = group.iter().copied().find(|index| !is_whole(index))?;
    let problem = match group.iter().find(|index| is_whole(index)) {
        Some(whole) => format!("is a part of the object that spec.data[{whole}] writes; only the last counts"),
        None if group.len() == 1 => {
            "does not count, since no other entry names a property of this object: the value becomes the whole object"
                .to_owned()
        }
        None => return None,
    };
    Some(Problem::new(format!("spec.data[{part}].match.remoteRef.property"), problem))
}

/// Sets that become one object of one store, or one that `data` names.
fn same_bundles(spec: &PushSecretSpec) -> Vec<Problem> {
    let of_data = spec.data.iter().enumerate().map(|(index, entry)| {
        let remote = &entry.match_.remote_ref;
        ((None, normal(&remote.remote_key)), format!("spec.data[{index}]"))
    });
    let mut seen: HashMap<_, _> = of_data.collect();
    let mut warnings = Vec::new();
    for (index, set) in spec.data_to.iter().enumerate() {
        let Some(remote_key) = set.remote_key.as_deref().filter(|key| !key.is_empty()) else { continue };
        let store = set.store_ref.as_ref().map(|store| (store.kind.unwrap_or_default(), store.name.as_deref()));
        let place = format!("spec.dataTo[{index}]");
        let of_data = seen.get(&(None, normal(remote_key))).cloned();
        let earlier = seen.insert((store, normal(remote_key)), place.clone()).or(of_data);
        if let Some(earlier) = earlier {
            let problem =
                format!("is the object of {earlier}, too; one of the two does not count, or nothing is pushed");
            warnings.push(Problem::new(format!("{place}.remoteKey"), problem));
        }
    }
    warnings
}

/// Objects and metadata that no vault accepts. Other providers may.
fn unlikely_objects(spec: &PushSecretSpec) -> Vec<Problem> {
    const ONLY: &str = "; it can be right for a store of the fake provider only";
    let of_data = spec.data.iter().enumerate().map(|(index, entry)| {
        (format!("spec.data[{index}].match.remoteRef.remoteKey"), entry.match_.remote_ref.remote_key.as_str())
    });
    let of_sets = spec.data_to.iter().enumerate();
    let of_sets = of_sets
        .filter_map(|(index, set)| Some((format!("spec.dataTo[{index}].remoteKey"), set.remote_key.as_deref()?)))
        .filter(|(_, key)| !key.is_empty());
    let names = of_data.chain(of_sets).filter_map(|(field, key)| {
        let reference = RemoteRef { key: key.to_owned(), ..RemoteRef::default() };
        Some(Problem::new(field, format!("{}{ONLY}", azurekv::reference(&reference)?)))
    });
    let metadata = all_metadata(spec).filter(|(_, metadata)| metadata.to_string().len() <= LONGEST_METADATA);
    let metadata = metadata.filter_map(|(field, metadata)| {
        Some(Problem::new(field, format!("{}{ONLY}", azurekv::push_metadata(metadata)?)))
    });
    names.chain(metadata).collect()
}

/// Templates that cannot be parsed. Those in ConfigMaps and Secrets are unknown here.
fn template_faults(spec: &PushSecretSpec) -> Vec<Problem> {
    let template = spec.template.as_deref();
    let mut texts: Vec<_> =
        template.into_iter().flat_map(|template| external_secret::template_texts("spec.template", template)).collect();
    for (index, set) in spec.data_to.iter().enumerate() {
        for (at, rewrite) in set.rewrite.iter().enumerate() {
            let transform = rewrite.transform.as_ref();
            texts.extend(transform.map(|transform| {
                (format!("spec.dataTo[{index}].rewrite[{at}].transform.template"), &transform.template)
            }));
        }
    }
    let faults = texts.into_iter().filter_map(|(field, text)| expressions::template(&field, text));
    faults.map(|(TemplateFault::Malformed(problem) | TemplateFault::UnknownFunction(problem))| problem).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn spec(fields: &Value) -> PushSecretSpec {
        let mut spec = json!({
            "secretStoreRefs": [{"name": "vault"}], "selector": {"secret": {"name": "source"}},
            "data": [entry("a", "a", "")],
        });
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn entry(secret_key: &str, remote_key: &str, property: &str) -> Value {
        json!({"match": {"secretKey": secret_key, "remoteRef": {"remoteKey": remote_key, "property": property}}})
    }

    /// With an expression more than allowed.
    fn long_selector() -> Value {
        json!({
            "matchLabels": {"a": "b"},
            "matchExpressions": vec![json!({"key": "a", "operator": "Exists"}); limits::SELECTOR],
        })
    }

    fn set(fields: &Value) -> Value {
        let mut set = json!({"storeRef": {"name": "vault"}});
        set.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "dataTo": [set] })
    }

    #[test]
    fn what_is_right_has_neither_problems_nor_warnings() {
        let metadata = json!({
            "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
            "spec": {"contentType": "text/plain"},
        });
        let mut noted = entry("a", "cert/a", "");
        noted["metadata"] = metadata;
        let spec = spec(&json!({
            "data": [noted, entry("u", "login", "user"), entry("p", "login", "password")],
            "dataTo": [{"storeRef": {"name": "vault"}, "match": {"regexp": "^DB_"}, "rewrite": [
                {"regexp": {"source": "_", "target": "-"}}, {"transform": {"template": "{{ .value | lower }}"}},
            ]}],
            "template": {"data": {"a": "{{ .a }}"}},
        }));
        assert_eq!((check(&spec), warnings(&spec)), (vec![], vec![]));
    }

    #[rstest]
    #[case(set(&json!({"match": {"regexp": "("}})), "spec.dataTo[0].match.regexp")]
    #[case(set(&json!({"rewrite": [{"regexp": {"source": "(", "target": ""}}]})), "spec.dataTo[0].rewrite[0].regexp.source")]
    #[case(set(&json!({"rewrite": [{}]})), "spec.dataTo[0].rewrite[0]")]
    #[case(set(&json!({"rewrite": vec![json!({"transform": {"template": "a"}}); 101]})), "spec.dataTo[0].rewrite")]
    #[case(set(&json!({"metadata": {"x": "x".repeat(20_000)}})), "spec.dataTo[0].metadata")]
    #[case(json!({"selector": {"secret": {}}}), "spec.selector.secret")]
    #[case(json!({"data": vec![entry("a", "a", ""); 1001]}), "spec.data")]
    #[case(json!({"selector": {"secret": {"selector": long_selector()}}}), "spec.selector.secret.selector")]
    #[case(json!({"secretStoreRefs": [{"labelSelector": long_selector()}]}), "spec.secretStoreRefs[0].labelSelector")]
    #[case(set(&json!({"storeRef": {"labelSelector": long_selector()}})), "spec.dataTo[0].storeRef.labelSelector")]
    fn what_cannot_be_pushed_is_named_with_its_field(#[case] fields: Value, #[case] field: &str) {
        let problems = check(&spec(&fields));
        assert_eq!(problems.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), [field], "{problems:?}");
    }

    #[rstest]
    #[case(json!({"data": [entry("a", "x", ""), entry("b", "x", "")]}), "spec.data[1].match.remoteRef", "nothing is pushed")]
    #[case(json!({"data": [entry("a", "x", ""), entry("b", "secret/X", "")]}), "spec.data[1].match.remoteRef", "the last counts")]
    #[case(json!({"data": [entry("a", "x", "p")]}), "spec.data[0].match.remoteRef.property", "does not count")]
    #[case(json!({"data": [entry("a", "x", ""), entry("b", "x", "p")]}), "spec.data[1].match.remoteRef.property", "spec.data[0]")]
    #[case(json!({"data": [entry("a", "vault/x", "")]}), "spec.data[0].match.remoteRef.remoteKey", "unknown kind")]
    #[case(json!({"data": [entry("a", "a_b", "")]}), "spec.data[0].match.remoteRef.remoteKey", "fake provider only")]
    #[case(set(&json!({"remoteKey": "A"})), "spec.dataTo[0].remoteKey", "spec.data[0]")]
    #[case(set(&json!({"remoteKey": "a_b"})), "spec.dataTo[0].remoteKey", "names no object")]
    #[case(set(&json!({"metadata": {}})), "spec.dataTo[0].metadata", "failed to parse push secret metadata")]
    #[case(
        set(&json!({"rewrite": [{"transform": {"template": "{{ .value"}}]})),
        "spec.dataTo[0].rewrite[0].transform.template",
        "cannot be parsed"
    )]
    #[case(json!({"template": {"data": {"a": "{{ nothing .a }}"}}}), "spec.template.data[\"a\"]", "not defined")]
    #[case(json!({"selector": {"secret": {"selector": {}}}}), "spec.selector.secret.selector", "selects all")]
    #[case(json!({"secretStoreRefs": []}), "spec.secretStoreRefs", "names no store")]
    #[case(json!({"refreshInterval": "soon"}), "spec.refreshInterval", "counts as 1h")]
    fn what_is_hardly_meant_is_a_warning(#[case] fields: Value, #[case] field: &str, #[case] words: &str) {
        let spec = spec(&fields);
        assert_eq!(check(&spec), vec![]);
        let warnings = warnings(&spec);
        assert_eq!(warnings.iter().map(|warning| warning.field.as_str()).collect::<Vec<_>>(), [field], "{warnings:?}");
        assert!(warnings[0].problem.contains(words), "{warnings:?}");
    }

    #[test]
    fn the_number_of_warnings_grows_with_that_of_the_entries_and_not_with_its_square() {
        let long = "x".repeat(1000);
        let of = |entries: usize| {
            let data: Vec<_> = (0..entries).map(|index| entry("a", &format!("{long}{}", index % 10), "")).collect();
            warnings(&spec(&json!({ "data": data }))).len()
        };
        let (few, many) = (of(100), of(1000));
        assert!((100..=200).contains(&few) && (1000..=2000).contains(&many), "{few} and {many}");
    }
}
