//! What a label selector requires, in a few bytes and compared in no time.
//!
//! Each change of a Secret is compared with all PushSecrets of its namespace, of which there may be thousands with a
//! hundred expressions each. Here the first few things that a selector requires suffice: a Secret that has them may be
//! selected, and the pass that follows finds out.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;

use crate::controller::core::process_hash::process_hash;
use crate::validate::push_secret::is_small;

/// The most requirements that are remembered.
const MOST: usize = 4;
/// The most values of one.
const MOST_VALUES: usize = 8;

/// What a selector requires: of each of these, a Secret must have one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection(Box<[Box<[u64]>]>);

/// The labels of a Secret.
pub(super) struct Labels(HashSet<u64>);

impl Selection {
    /// `None` for a selector that is not valid.
    pub(super) fn of(selector: &LabelSelector) -> Option<Self> {
        if !is_small(selector) || Selector::try_from(selector.clone()).is_err() {
            return None;
        }
        let labels = selector.match_labels.iter().flatten().map(|(key, value)| [pair(key, value)].into());
        let expressions = selector.match_expressions.iter().flatten().filter_map(|expression| {
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" if values.len() <= MOST_VALUES => {
                    Some(values.iter().map(|value| pair(&expression.key, value)).collect())
                }
                "In" | "Exists" => Some([process_hash(&expression.key)].into()),
                _ => None,
            }
        });
        Some(Self(labels.chain(expressions).take(MOST).collect()))
    }

    /// Whether a Secret with these labels may be selected. If not, it is not.
    pub(super) fn may_select(&self, labels: &Labels) -> bool {
        self.0.iter().all(|any| any.iter().any(|label| labels.0.contains(label)))
    }
}

impl Labels {
    pub(super) fn of(labels: Option<&BTreeMap<String, String>>) -> Self {
        let labels = labels.into_iter().flatten();
        Self(labels.flat_map(|(key, value)| [process_hash(key), pair(key, value)]).collect())
    }
}

fn pair(key: &str, value: &str) -> u64 {
    process_hash((key, value))
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt as _;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::labels(json!({"matchLabels": {"a": "1", "b": "2"}}))]
    #[case::values(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}))]
    #[case::many_values(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}]}))]
    #[case::key(json!({"matchExpressions": [{"key": "b", "operator": "Exists"}]}))]
    #[case::without(json!({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}, {"key": "a", "operator": "NotIn", "values": ["2"]}]}))]
    #[case::many(json!({"matchLabels": {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6"}}))]
    #[case::all(json!({}))]
    fn whatever_a_selector_selects_it_may_select(#[case] selector: Value) {
        let labels: LabelSelector = serde_json::from_value(selector).unwrap();
        let (selection, selector) = (Selection::of(&labels).unwrap(), Selector::try_from(labels).unwrap());
        for number in 0..64_u32 {
            let has = |bit: u32| number & (1 << bit) != 0;
            let keys = ["a", "b", "c", "d", "e", "f"].into_iter().zip(0..);
            let labels: BTreeMap<_, _> =
                keys.filter(|(_, bit)| has(*bit)).map(|(key, bit)| (key.to_owned(), (bit + 1).to_string())).collect();
            assert!(!selector.matches(&labels) || selection.may_select(&Labels::of(Some(&labels))), "{labels:?}");
        }
    }

    #[test]
    fn a_secret_without_what_is_required_is_not_selected() {
        let selector = |json| Selection::of(&serde_json::from_value(json).unwrap()).unwrap();
        let labels = |key: &str, value: &str| Labels::of(Some(&[(key.to_owned(), value.to_owned())].into()));
        let exact = selector(json!({"matchLabels": {"a": "1"}}));
        assert!(exact.may_select(&labels("a", "1")));
        assert!(!exact.may_select(&labels("a", "2")) && !exact.may_select(&labels("b", "1")));
        assert!(!exact.may_select(&Labels::of(None)));
        let one = selector(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}));
        assert!(one.may_select(&labels("a", "2")) && !one.may_select(&labels("a", "3")));
    }
}
