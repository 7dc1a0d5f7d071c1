//! Which namespaces a ClusterExternalSecret or ClusterPushSecret is about.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};

use crate::api::v1::ClusterExternalSecretSpec;

/// The namespaces that an object of the cluster is about: those that any of its selectors matches, and those that it names.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    selectors: Vec<Selector>,
    names: BTreeSet<String>,
}

/// An invalid selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to convert label selector {field}: {problem}")]
pub struct BadSelector {
    /// The selector's field, for example `spec.namespaceSelectors[0]`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Selection {
    /// What the fields of a spec select together.
    ///
    /// # Errors
    /// [`BadSelector`] for the first invalid one. Then nothing is selected, because the others might match only some of
    /// the namespaces.
    pub fn of(spec: &ClusterExternalSecretSpec) -> Result<Self, BadSelector> {
        let listed = spec.namespace_selectors.iter().enumerate();
        let listed = listed.map(|(index, selector)| (format!("spec.namespaceSelectors[{index}]"), selector));
        let single = spec.namespace_selector.iter().map(|selector| ("spec.namespaceSelector".to_owned(), selector));
        let selectors = listed
            .chain(single)
            .map(|(field, selector)| compiled(selector).map_err(|problem| BadSelector { field, problem }));
        Ok(Self { selectors: selectors.collect::<Result<_, _>>()?, names: spec.namespaces.iter().cloned().collect() })
    }

    /// What label selectors select together; `field` is the list that they stand in.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_labels(field: &str, selectors: &[LabelSelector]) -> Result<Self, BadSelector> {
        let selectors = selectors.iter().enumerate().map(|(index, selector)| {
            compiled(selector).map_err(|problem| BadSelector { field: format!("{field}[{index}]"), problem })
        });
        Ok(Self { selectors: selectors.collect::<Result<_, _>>()?, names: BTreeSet::new() })
    }

    /// Whether a namespace is among them.
    #[must_use]
    pub fn selects(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.names.contains(name) || self.selectors.iter().any(|selector| selector.matches(labels))
    }
}

/// A selector with the semantics of Kubernetes' `LabelSelectorAsSelector`.
fn compiled(selector: &LabelSelector) -> Result<Selector, String> {
    for requirement in selector.match_expressions.iter().flatten() {
        let has_values = requirement.values.as_ref().is_some_and(|values| !values.is_empty());
        let key = &requirement.key;
        match requirement.operator.as_str() {
            _ if key.is_empty() => return Err("a requirement has no key; name a label".to_owned()),
            "In" | "NotIn" if !has_values => {
                return Err(format!("the requirement on {key:?} needs values, as In and NotIn do"));
            }
            "Exists" | "DoesNotExist" if has_values => {
                return Err(format!(
                    "the requirement on {key:?} may have no values, as Exists and DoesNotExist do not"
                ));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                return Err(format!(
                    "{other:?} is not a valid label selector operator; use In, NotIn, Exists or DoesNotExist"
                ));
            }
        }
    }
    Selector::try_from(selector.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn selection(fields: Value) -> Result<Selection, BadSelector> {
        let mut spec = fields;
        spec["externalSecretSpec"] = json!({});
        Selection::of(&serde_json::from_value(spec).unwrap())
    }

    fn labels(team: &str) -> BTreeMap<String, String> {
        [("team".to_owned(), team.to_owned())].into()
    }

    #[rstest]
    #[case::one_of_two(json!({"namespaceSelectors": [{"matchLabels": {"team": "a"}}, {"matchLabels": {"team": "b"}}]}), "b", true)]
    #[case::none_of_two(json!({"namespaceSelectors": [{"matchLabels": {"team": "a"}}, {"matchLabels": {"team": "b"}}]}), "c", false)]
    #[case::all_by_an_empty_one(json!({"namespaceSelectors": [{}]}), "c", true)]
    #[case::the_older_field(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}), "a", true)]
    #[case::a_name(json!({"namespaces": ["shop", "missing"]}), "c", true)]
    #[case::a_name_beside_a_selector(json!({"namespaces": ["other"], "namespaceSelectors": [{"matchLabels": {"team": "a"}}]}), "a", true)]
    #[case::nothing(json!({}), "a", false)]
    #[case::expressions(json!({"namespaceSelectors": [{"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}]}), "b", true)]
    fn a_namespace_is_selected_by_any_selector_or_its_name(
        #[case] fields: Value,
        #[case] team: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(selection(fields).unwrap().selects("shop", &labels(team)), expected);
    }

    #[rstest]
    #[case(json!({"key": "team", "operator": "Foo"}), "\"Foo\" is not a valid label selector operator")]
    #[case(json!({"key": "team", "operator": "In"}), "the requirement on \"team\" needs values")]
    #[case(json!({"key": "team", "operator": "Exists", "values": ["a"]}), "the requirement on \"team\" may have no values")]
    #[case(json!({"key": "", "operator": "Exists"}), "a requirement has no key")]
    fn a_selector_that_kubernetes_refuses_is_an_error_that_names_its_field(
        #[case] requirement: Value,
        #[case] problem: &str,
    ) {
        let error = selection(json!({"namespaceSelectors": [{}, {"matchExpressions": [requirement]}]})).unwrap_err();
        let expected = format!("failed to convert label selector spec.namespaceSelectors[1]: {problem}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}
