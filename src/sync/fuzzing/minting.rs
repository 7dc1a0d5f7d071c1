//! Values of generators.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::ServedVersion;
use crate::api::generators::GeneratorKind;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{GeneratorRef, TemplateMergePolicy};
use crate::budget::Budget;
use crate::generator::Making;
use crate::sync::data;
use crate::sync::minting::annotation::annotation;
use crate::sync::minting::{
    self, Choice, Decision, Entry, Record, Recorded, Situation, Target, decide, entry_hash, kept, record_of_left,
};
use crate::sync::refresh::Reason;
use crate::sync::target::Owner;
use crate::template::{Engine, Limits, MissingKeys, funcs};

const REASONS: [Reason; 7] = [
    Reason::First,
    Reason::Changed,
    Reason::Interval,
    Reason::ClockWentBack,
    Reason::TargetChanged,
    Reason::TemplatesChanged,
    Reason::Expiry,
];

/// The generators that an input may name: whether each mints, and the keys of its values.
pub type Generators = BTreeMap<(GeneratorKind, String), (Making, Vec<String>)>;

/// Decides for an ExternalSecret that uses generators whether its values stay. The input has `externalSecret`, and
/// optionally `target` (a Secret), `intact` and `texts`.
///
/// # Panics
/// If a kept value is not in the target, or if the decision that follows a write does not keep everything.
pub fn decisions(input: &Value, generators: &Generators) {
    let Some(mut object) = part::<ExternalSecret>(&input["externalSecret"]) else { return };
    object.metadata.namespace.get_or_insert_default();
    object.metadata.name.get_or_insert_default();
    let Ok(spec) = object.spec.get() else { return };
    let owner = Owner::new(&object.metadata, spec, ServedVersion::V1);
    let entries = entries(owner, generators);
    if entries.is_empty() {
        return;
    }
    let target = part::<Secret>(&input["target"]);
    let now = Timestamp::from_second(1_700_000_000).unwrap_or_default();
    for reason in REASONS {
        let target = target.as_ref().map(|secret| view(secret, input["intact"] == true));
        let texts = input["texts"].as_str();
        let situation = Situation { owner, status: object.status.as_ref(), reason, target, texts, now };
        let _ = minting::needs_texts(situation, &entries);
        let (record, data) = match decide(situation, &entries) {
            Decision::NotWritten => continue,
            Decision::Leave { .. } => {
                let data = target.and_then(|target| target.data).cloned().unwrap_or_default();
                (record_of_left(situation, &entries), data)
            }
            Decision::Each(choices) => written(situation, &entries, choices),
        };
        stays(situation, &entries, &record, data);
    }
}

fn part<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn entries(owner: Owner<'_>, generators: &Generators) -> Vec<Entry> {
    let engine = Engine::new(funcs::all())
        .with_limits(Limits { steps: 20_000, ..Limits::default() })
        .with_missing_keys(MissingKeys::NoValue);
    let budget = Budget::default();
    let of =
        |reference: &GeneratorRef| generators.get(&(GeneratorKind::named(&reference.kind)?, reference.name.clone()));
    let all = owner.spec.data_from.iter().enumerate().filter_map(|(index, entry)| {
        let (making, keys) = of(entry.source_ref.as_ref()?.generator_ref.as_ref()?)?;
        let keys = data::keys_of(entry, keys.clone(), &engine, &budget);
        Some(Entry { index, hash: entry_hash(entry), making: *making, keys })
    });
    all.collect()
}

fn view(secret: &Secret, is_intact: bool) -> Target<'_> {
    Target { meta: &secret.metadata, data: secret.data.as_ref(), is_intact }
}

/// The record and data that the controller writes for these choices.
fn written(
    situation: Situation<'_>,
    entries: &[Entry],
    choices: Vec<Choice>,
) -> (Record, BTreeMap<String, ByteString>) {
    assert_eq!(choices.len(), entries.len(), "a choice for each entry");
    let (mut recorded, mut data) = (Vec::new(), BTreeMap::new());
    let made = situation.now;
    for (entry, choice) in entries.iter().zip(choices) {
        let (keys, made) = match choice {
            Choice::Keep { keys, made: before } => {
                let before_keys = situation.target.and_then(|target| target.data);
                let values = before_keys.map(|data| kept(data, &keys)).unwrap_or_default();
                assert!(keys.iter().all(|key| values.contains_key(key)), "what is kept is there: {keys:?}");
                (keys, before.unwrap_or(made))
            }
            // Keys that depend on the values are known only now.
            Choice::Mint(_) | Choice::Renew => {
                (entry.keys.clone().unwrap_or_else(|| BTreeSet::from(["new".to_owned()])), made)
            }
        };
        data.extend(keys.iter().map(|key| (key.clone(), ByteString(b"value".to_vec()))));
        recorded.push(Recorded { entry: entry.hash.clone(), keys, made, until: None });
    }
    let template = situation.owner.spec.target.as_ref().and_then(|target| target.template.as_deref());
    let rendered = template.map(|template| {
        let made: BTreeSet<_> = template.data.iter().flatten().map(|(key, _)| key.clone()).collect();
        if template.merge_policy == TemplateMergePolicy::Replace && !made.is_empty() {
            data.clear();
        }
        data.extend(made.into_iter().map(|key| (key, ByteString(b"rendered".to_vec()))));
        data.keys().cloned().collect()
    });
    let texts = situation.texts.map(str::to_owned);
    (minting::record(situation.owner, entries, recorded, rendered, texts), data)
}

/// After a write nothing is made again, even if the status is lost.
fn stays(situation: Situation<'_>, entries: &[Entry], record: &Record, data: BTreeMap<String, ByteString>) {
    let owner = situation.owner;
    let Some(text) = record.text() else { return };
    let mut secret = Secret { data: Some(data), ..Secret::default() };
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(annotation(owner.namespace(), owner.name()), text);
    assert_eq!(Record::read(&secret.metadata, owner).as_ref(), Some(record), "a record is read as it was written");
    let lost = Situation { status: None, reason: Reason::First, target: Some(view(&secret, true)), ..situation };
    let made = match decide(lost, entries) {
        Decision::NotWritten | Decision::Leave { .. } => None,
        Decision::Each(choices) => choices.into_iter().find(|choice| matches!(choice, Choice::Mint(_))),
    };
    assert_eq!(made, None, "after {:?}: {record:?}", situation.reason);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(input: &Value) {
        let password = (GeneratorKind::Password, "p".to_owned());
        decisions(input, &[(password, (Making::Minted, vec!["password".to_owned()]))].into());
    }

    fn example(target: &Value) -> Value {
        let reference = |name: &str| {
            json!({"sourceRef": {"generatorRef": {
                "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": name,
            }}})
        };
        json!({
            "externalSecret": {"metadata": {"name": "a", "namespace": "b", "generation": 1},
                "spec": {"refreshInterval": "1h", "target": target, "dataFrom": [reference("p"), reference("p")]}},
            "target": {"metadata": {"name": "a"}, "data": {"password": "bWludGVk"}},
        })
    }

    #[test]
    fn what_was_written_stays_also_if_a_template_renders_nothing() {
        let nothing = json!({"template": {"templateFrom": [{"literal": "{{ if false }}a: b{{ end }}"}]}});
        for target in [json!({}), json!({"template": {"data": {"a": "{{ .password }}"}}}), nothing] {
            check(&example(&target));
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(
            policy in "(Owner|Merge|Orphan|CreateOrMerge|None)",
            refresh in "(Periodic|OnChange|CreatedOnce)",
            source in "(.*|password|)",
            intact: bool,
        ) {
            let mut input = example(&json!({"creationPolicy": policy}));
            input["intact"] = intact.into();
            let spec = &mut input["externalSecret"]["spec"];
            spec["refreshPolicy"] = refresh.into();
            spec["dataFrom"][0]["rewrite"] = json!([{"regexp": {"source": source, "target": "$0x"}}]);
            check(&input);
        }
    }
}
