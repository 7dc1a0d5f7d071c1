//! What the fuzz targets `spec`, `render` and `minting` run: the pure part of what the controller does with an
//! ExternalSecret or a store. No input may cause a panic or cost more than its budgets allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::api::generators::{Described, Generator, GeneratorKind};
use crate::api::v1::external_secret::ExternalSecretTemplate;
use crate::api::v1::{ExternalSecret, ExternalSecretSpec, SecretStore, StoreKind};
use crate::budget::Budget;
use crate::controller::external_secret::memo::fingerprint;
use crate::generator::{self, Cost, Source};
use crate::provider::StoreView;
use crate::provider::azure::Options as AzureOptions;
use crate::sync::data::{Fetched, assemble};
use crate::sync::fuzzing::{Generators, decisions};
use crate::sync::object::Filling;
use crate::sync::template::{Renderer, Sources};
use crate::sync::{SecretData, SecretValue, windows};
use crate::template::{Allowance, Engine, Limits, MissingKeys, funcs, yaml};
use crate::validate::{self, sentences};

/// For `target.template`. It may take fewer steps than in the controller, since a fuzzer's build is slow.
static TARGET: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(funcs::all()).with_limits(Limits { steps: 50_000, ..Limits::default() }));
/// For `rewrite.transform`.
static REWRITE: LazyLock<Engine> = LazyLock::new(|| TARGET.clone().with_missing_keys(MissingKeys::NoValue));

/// Reads a manifest in JSON or YAML as an ExternalSecret and as a store. Whatever can be read is checked, and an
/// ExternalSecret gets values.
///
/// # Panics
/// If a spec is not the same after it is written and read again.
pub fn spec(manifest: &[u8]) {
    let manifest = serde_json::from_slice::<Value>(manifest)
        .ok()
        .or_else(|| yaml::read_json(manifest, &mut Allowance::new()).ok());
    let Some(Value::Object(mut manifest)) = manifest else { return };
    manifest.entry("metadata").or_insert_with(|| json!({}));
    let manifest = Value::Object(manifest);
    if let Ok(object) = serde_json::from_value::<ExternalSecret>(manifest.clone()) {
        let _ = fingerprint(&object);
        match object.spec.get() {
            Ok(spec) => external_secret(spec),
            Err(error) => drop(error.to_string()),
        }
    }
    if let Ok(object) = serde_json::from_value::<SecretStore>(manifest)
        && let Ok(spec) = object.spec.get()
    {
        for kind in [StoreKind::SecretStore, StoreKind::ClusterSecretStore] {
            let namespace = (kind == StoreKind::SecretStore).then_some("team");
            let view = StoreView { kind, namespace, name: "vault", spec };
            let _ = sentences(&validate::secret_store::check(&view, &AzureOptions::default()));
            let _ = sentences(&validate::secret_store::warnings(kind, spec));
        }
        for condition in &spec.conditions {
            let _ = validate::secret_store::names_namespace(condition, "team-a");
        }
    }
}

fn external_secret(spec: &ExternalSecretSpec) {
    let problems = validate::external_secret::check(spec);
    let _ = sentences(&problems);
    let _ = sentences(&validate::external_secret::warnings(spec));
    let _ = sentences(&validate::unsupported::check(spec));
    for second in [0, 1_709_164_800, 253_000_000_000] {
        let now = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let _ = windows::permit(spec.sync_windows.as_ref(), now);
    }
    same_when_read_again(spec);
    if !problems.is_empty() {
        return;
    }
    let fetched = Fetched {
        sets: spec.data_from.iter().map(|_| Some(set())).collect(),
        values: spec.data.iter().map(|_| Some(value("aGVsbG8="))).collect(),
        ..Fetched::default()
    };
    match assemble(spec, fetched, &REWRITE, &Budget::default()) {
        Ok(values) => {
            if let Some(template) = spec.target.as_ref().and_then(|target| target.template.as_ref()) {
                rendered(template, &values);
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

fn same_when_read_again(spec: &ExternalSecretSpec) {
    let written = serde_json::to_value(spec).unwrap_or_default();
    let again = serde_json::from_value::<ExternalSecretSpec>(written.clone());
    assert_eq!(again.ok().and_then(|again| serde_json::to_value(again).ok()), Some(written));
}

fn value(text: &str) -> SecretValue {
    Arc::new(text.as_bytes().to_vec().into())
}

/// A set of values with odd keys, one value in JSON and one in base64.
fn set() -> SecretData {
    BTreeMap::from([
        ("a".to_owned(), value("x")),
        ("a/ä b".to_owned(), value("{\"b\": [1, 2.5e3, null], \"a\": \"x\"}")),
        ("k_1".to_owned(), value("aGVsbG8=")),
    ])
}

/// Renders templates. The input is a byte of options and four texts separated by zero bytes: a `templateFrom.literal`,
/// a template of `data`, a target path, and the value `v` that the templates use.
pub fn render(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut parts = rest.splitn(4, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (literal, data, place, value_text) = (text(), text(), text(), text());
    let (with_place, merged) = (how & 1 != 0, how & 2 != 0);
    let template = json!({
        "mergePolicy": if merged { "Merge" } else { "Replace" },
        "data": {"d": data},
        "templateFrom": [{
            "literal": literal,
            "target": if with_place { &place } else { "Data" },
            "valuesDecodingStrategy": if merged { "Auto" } else { "None" },
            "templateAs": if how & 4 != 0 { "KeysAndValues" } else { "Values" },
        }],
    });
    if let Ok(template) = serde_json::from_value::<ExternalSecretTemplate>(template) {
        rendered(&template, &BTreeMap::from([("v".to_owned(), value(&value_text))]));
    }
}

/// Renders a Secret, and another object whose edits are applied.
fn rendered(template: &ExternalSecretTemplate, values: &SecretData) {
    let renderer = Renderer {
        root: "spec.target.template",
        engine: &TARGET,
        read_keys_and_values: |text, allowance| yaml::read_strings(text, allowance).map_err(|e| e.to_string()),
    };
    if let Err(error) = renderer.render(template, values, &Sources::default()) {
        drop(error.to_string());
    }
    match renderer.render_object(template, values, &Sources::default()) {
        Ok(result) => {
            let mut root = json!({"data": {"d": "x"}, "spec": {"a": [1, {"b": "c"}]}});
            let mut filling = Filling::default();
            for edit in &result.edits {
                let _ = edit.apply(&mut root, &mut filling);
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

/// Makes the values of generators, and decides for an ExternalSecret that uses them whether its values stay. The input is
/// JSON: `generators` (each with `kind`, `metadata.name` and `spec`), and what [`decisions`] reads.
///
/// # Panics
/// If a generator makes other keys than it announces, or as [`decisions`].
pub fn minting(input: &[u8]) {
    let Ok(input) = serde_json::from_slice::<Value>(input) else { return };
    let mut found = Generators::new();
    for item in input["generators"].as_array().into_iter().flatten().take(8) {
        let kind = item["kind"].as_str().and_then(GeneratorKind::named);
        let (Some(kind), Ok(object)) = (kind, Generator::deserialize(item)) else { continue };
        let spec = match object.described(kind) {
            Ok(Described::One(spec)) => Ok(spec),
            Ok(Described::Cluster(cluster)) => cluster.served().map_err(|error| error.to_string()),
            Err(field) => Err(field.to_string()),
        };
        let Ok(spec) = spec else { continue };
        let keys = generator::keys(&spec);
        // RSA keys would take too long.
        if generator::cost(&spec) == Cost::Small
            && let Ok(Source::Made(values)) = generator::make(&spec, &mut rand::rng())
        {
            assert!(values.into_keys().eq(keys.iter().cloned().collect::<BTreeSet<_>>()));
        }
        found.insert((kind, object.metadata.name.unwrap_or_default()), (generator::making(&spec), keys));
    }
    decisions(&input, &found);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_external_secret_goes_all_the_way() {
        let manifest = json!({"metadata": {"name": "a"}, "spec": {
            "secretStoreRef": {"name": "vault"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "b"}}],
            "dataFrom": [{"extract": {"key": "c"}, "rewrite": [{"regexp": {"source": "^a", "target": "b"}}]}],
            "target": {"template": {"data": {"x": "{{ .a }}"}}},
        }});
        spec(manifest.to_string().as_bytes());
    }

    proptest! {
        #[test]
        fn no_template_panics(
            how: u8,
            texts in "(\\{\\{|\\}\\}|\\{\\{ \\.v \\}\\}|a: |\n|- |\\[|\\]|&a |\\*a|spec|\\.|\u{0}){0,16}",
        ) {
            let mut input = vec![how];
            input.extend(texts.as_bytes());
            render(&input);
        }
    }
}
