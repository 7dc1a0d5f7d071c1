//! Checks of a ClusterPushSecret. ESO has no webhook for them, so nothing here is a reason to refuse one: the webhook warns, and the
//! controller says in a condition what it cannot work on.

use super::{Problem, child_spec, push_secret};
use crate::api::Selection;
use crate::api::v1alpha1::{ClusterPushSecretSpec, PushSecretSpec};

/// Where the spec of the PushSecrets stands.
const TEMPLATE: &str = "spec.pushSecretSpec";
const SELECTORS: &str = "spec.namespaceSelectors";

/// What keeps PushSecrets from being made: what is wrong with their spec, and selectors that are none.
#[must_use]
pub fn check(spec: &ClusterPushSecretSpec) -> Vec<Problem> {
    let bad = Selection::of_labels(SELECTORS, &spec.namespace_selectors).err();
    let mut problems: Vec<_> = bad.into_iter().map(|bad| Problem::new(bad.field, bad.problem)).collect();
    match template(spec) {
        Ok(template) => problems.extend(push_secret::check(&template).into_iter().map(below)),
        Err(problem) => problems.push(problem),
    }
    problems
}

/// What is legal, but hardly what is meant.
#[must_use]
pub fn warnings(spec: &ClusterPushSecretSpec) -> Vec<Problem> {
    let mut warnings: Vec<_> = child_spec::refresh_time(spec.refresh_time.as_deref()).into_iter().collect();
    if spec.namespace_selectors.is_empty() {
        warnings.push(Problem::new(SELECTORS, "selects no namespace, so no PushSecret is made; {} selects all"));
    }
    if let Ok(template) = template(spec) {
        warnings.extend(push_secret::warnings(&template).into_iter().map(below));
    }
    warnings
}

/// The spec of the PushSecrets, as far as this program knows it.
fn template(spec: &ClusterPushSecretSpec) -> Result<Box<PushSecretSpec>, Problem> {
    child_spec::read(TEMPLATE, &spec.push_secret_spec)
}

fn below(problem: Problem) -> Problem {
    child_spec::below(TEMPLATE, problem)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn spec(fields: &Value) -> ClusterPushSecretSpec {
        let mut spec = json!({
            "namespaceSelectors": [{}],
            "pushSecretSpec": {
                "secretStoreRefs": [{"name": "vault"}], "selector": {"secret": {"name": "source"}},
                "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "a"}}}],
            },
        });
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn what_is_right_has_neither_problems_nor_warnings() {
        let spec = spec(&json!({"refreshTime": "30m"}));
        assert_eq!((check(&spec), warnings(&spec)), (vec![], vec![]));
    }

    #[rstest]
    #[case(json!({"pushSecretSpec": 7}), "spec.pushSecretSpec")]
    #[case(json!({"pushSecretSpec": {"secretStoreRefs": [], "selector": {}}}), "spec.pushSecretSpec.selector.secret")]
    #[case(json!({"namespaceSelectors": [{"matchExpressions": [{"key": "a", "operator": "Foo"}]}]}), "spec.namespaceSelectors[0]")]
    fn a_problem_names_the_field_where_it_stands(#[case] fields: Value, #[case] field: &str) {
        let problems = check(&spec(&fields));
        assert_eq!(problems[0].field, field, "{problems:?}");
    }

    #[rstest]
    #[case(json!({"refreshTime": "soon"}), "spec.refreshTime")]
    #[case(json!({"namespaceSelectors": []}), "spec.namespaceSelectors")]
    #[case(json!({"pushSecretSpec": {"secretStoreRefs": [], "selector": {"secret": {"name": "a"}}}}), "spec.pushSecretSpec.secretStoreRefs")]
    fn what_can_be_worked_on_all_the_same_is_a_warning(#[case] fields: Value, #[case] field: &str) {
        let spec = spec(&fields);
        assert_eq!(check(&spec), vec![]);
        assert_eq!(warnings(&spec)[0].field, field);
    }
}
