//! What a target records about the values that generators made for it. It is written in the same request as the values,
//! so it survives a crash, a lost status and a restored backup. It contains no value and no hash of one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::annotation::annotation;
use crate::api::v1::external_secret::{ExternalSecretDataFrom, ExternalSecretSpec};
use crate::sync::hash;
use crate::sync::target::Owner;

/// The longest record that is read or written. All annotations of an object together may have 256 KiB.
pub const LONGEST: usize = 64 << 10;

/// The annotations of an ExternalSecret with which a person asks for a refresh.
const FORCE: [&str; 2] = ["force-sync", "external-secrets.io/force-sync"];

/// What a target records for one ExternalSecret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The values of each entry.
    pub entries: Vec<Recorded>,
    /// A hash of the annotations that requested the last refresh, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
    /// What the target was rendered from, if there is a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<Rendered>,
}

/// The values of one entry of `dataFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// A hash of the entry: its generator and rewrites.
    pub entry: String,
    /// Its keys, after the rewrites.
    pub keys: BTreeSet<String>,
    /// When they were made.
    pub made: Timestamp,
    /// When they expire, for a token that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a target with a template was rendered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// A hash of the parts of the spec that affect the target.
    pub of: String,
    /// The keys that were written.
    pub keys: BTreeSet<String>,
    /// A hash of the templates in ConfigMaps and Secrets; `None` if there are none, or if they were not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<String>,
}

impl Rendered {
    /// Whether these are certainly other templates than those that the target was rendered from.
    pub(super) fn has_other_texts(&self, texts: Option<&str>) -> bool {
        self.texts.as_deref().is_some_and(|before| texts.is_some_and(|texts| texts != before))
    }
}

impl Record {
    /// The record of `owner` on its target, if there is a readable one.
    #[must_use]
    pub fn read(meta: &ObjectMeta, owner: Owner<'_>) -> Option<Self> {
        let text = meta.annotations.as_ref()?.get(&annotation(owner.namespace(), owner.name()))?;
        if text.len() > LONGEST {
            return None;
        }
        serde_json::from_str(text).ok()
    }

    /// The text of the annotation; `None` if it is too long.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok().filter(|text| text.len() <= LONGEST)
    }

    /// The record of each entry, by the entry's index in `spec.dataFrom`. Equal entries are matched in order.
    pub(super) fn by_entry<'a>(
        &'a self,
        entries: impl IntoIterator<Item = (usize, &'a str)>,
    ) -> BTreeMap<usize, &'a Recorded> {
        let mut left: Vec<&Recorded> = self.entries.iter().collect();
        let mut found = BTreeMap::new();
        for (index, hash) in entries {
            if let Some(at) = left.iter().position(|recorded| recorded.entry == hash) {
                found.insert(index, left.remove(at));
            }
        }
        found
    }

    /// The token that expires first.
    #[must_use]
    pub fn first_to_end(&self) -> Option<(Timestamp, Timestamp)> {
        self.entries
            .iter()
            .filter_map(|recorded| Some((recorded.made, recorded.until?)))
            .min_by_key(|(_, until)| *until)
    }
}

/// A hash of an entry of `dataFrom`: of everything that determines its values and their keys.
#[must_use]
pub fn entry_hash(entry: &ExternalSecretDataFrom) -> String {
    let generator = entry.source_ref.as_ref().and_then(|source| source.generator_ref.as_ref());
    hash::fingerprint(&(generator, &entry.rewrite))
}

/// A hash of the parts of a spec that affect a target with a template.
pub(super) fn shape(spec: &ExternalSecretSpec) -> String {
    let template = spec.target.as_ref().and_then(|target| target.template.as_ref());
    hash::fingerprint(&(&spec.data, &spec.data_from, template))
}

/// A hash of the annotations with which a person asks for a refresh, if any.
#[must_use]
pub fn force(meta: &ObjectMeta) -> Option<String> {
    let given: Vec<_> = FORCE.iter().filter_map(|name| meta.annotations.as_ref()?.get_key_value(*name)).collect();
    (!given.is_empty()).then(|| hash::fingerprint(&given))
}

/// The same metadata without these annotations.
pub(super) fn without_force(meta: &ObjectMeta) -> ObjectMeta {
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.retain(|name, _| !FORCE.contains(&name.as_str()));
    ObjectMeta {
        generation: meta.generation,
        labels: meta.labels.clone(),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    }
}
