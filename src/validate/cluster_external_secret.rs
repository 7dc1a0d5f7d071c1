//! Checks of a ClusterExternalSecret. ESO has no webhook for it, so nothing here is a reason to reject one: the webhook
//! warns, and the controller reports in a condition what it cannot handle.

use super::{Problem, child_spec, external_secret, unsupported};
use crate::api::Selection;
use crate::api::v1::{ClusterExternalSecretSpec, ExternalSecretSpec};

/// The field with the spec of the ExternalSecrets.
const TEMPLATE: &str = "spec.externalSecretSpec";

/// What keeps ExternalSecrets from being created: faults of their spec, and invalid selectors.
#[must_use]
pub fn check(spec: &ClusterExternalSecretSpec) -> Vec<Problem> {
    let mut problems: Vec<_> = selectors(spec).into_iter().collect();
    problems.extend(of_template(spec, external_secret::check));
    problems
}

/// What is wrong with the spec of the ExternalSecrets.
#[must_use]
pub fn check_template(spec: &ClusterExternalSecretSpec) -> Vec<Problem> {
    of_template(spec, external_secret::check)
}

/// What is legal, but probably a mistake.
#[must_use]
pub fn warnings(spec: &ClusterExternalSecretSpec) -> Vec<Problem> {
    let mut warnings: Vec<_> =
        child_spec::refresh_time(spec.refresh_time.as_deref()).into_iter().chain(replaced(spec)).collect();
    if let Ok(template) = template(spec) {
        let of_template = external_secret::warnings(&template).into_iter().chain(unsupported::check(&template));
        warnings.extend(of_template.map(below));
    }
    warnings
}

fn of_template(
    spec: &ClusterExternalSecretSpec,
    check: impl FnOnce(&ExternalSecretSpec) -> Vec<Problem>,
) -> Vec<Problem> {
    match template(spec) {
        Ok(template) => check(&template).into_iter().map(below).collect(),
        Err(problem) => vec![problem],
    }
}

/// The spec of the ExternalSecrets, as far as this program knows its fields.
///
/// # Errors
/// The field that does not fit.
pub fn template(spec: &ClusterExternalSecretSpec) -> Result<Box<ExternalSecretSpec>, Problem> {
    child_spec::read(TEMPLATE, &spec.external_secret_spec)
}

fn below(problem: Problem) -> Problem {
    child_spec::below(TEMPLATE, problem)
}

fn selectors(spec: &ClusterExternalSecretSpec) -> Option<Problem> {
    let bad = Selection::of(spec).err()?;
    Some(Problem::new(bad.field, bad.problem))
}

fn replaced(spec: &ClusterExternalSecretSpec) -> Vec<Problem> {
    let fields = [
        ("spec.namespaceSelector", spec.namespace_selector.is_some()),
        ("spec.namespaces", !spec.namespaces.is_empty()),
    ];
    let given = fields.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(field, _)| Problem::new(field, "is deprecated; use spec.namespaceSelectors")).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn spec(fields: &Value) -> ClusterExternalSecretSpec {
        let mut spec = json!({"externalSecretSpec": {
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        }});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn what_is_right_has_neither_problems_nor_warnings() {
        let spec = spec(&json!({"refreshTime": "30m", "namespaceSelectors": [{}]}));
        assert_eq!((check(&spec), warnings(&spec)), (vec![], vec![]));
    }

    #[rstest]
    #[case(json!({"externalSecretSpec": {}}), "spec.externalSecretSpec")]
    #[case(json!({"externalSecretSpec": {"refreshInterval": "bogus"}}), "spec.externalSecretSpec.refreshInterval")]
    #[case(json!({"externalSecretSpec": {"dataFrom": [{}]}}), "spec.externalSecretSpec.dataFrom[0]")]
    #[case(json!({"namespaceSelectors": [{"matchExpressions": [{"key": "a", "operator": "Foo"}]}]}), "spec.namespaceSelectors[0]")]
    fn a_problem_names_the_field_where_it_stands(#[case] fields: Value, #[case] field: &str) {
        let problems = check(&spec(&fields));
        assert_eq!(problems[0].field, field, "{problems:?}");
    }

    #[rstest]
    #[case(json!({"refreshTime": "soon"}), "spec.refreshTime")]
    #[case(json!({"namespaces": ["a"]}), "spec.namespaces")]
    #[case(json!({"namespaceSelector": {}}), "spec.namespaceSelector")]
    fn what_can_be_worked_on_all_the_same_is_a_warning(#[case] fields: Value, #[case] field: &str) {
        let spec = spec(&fields);
        assert_eq!(check(&spec), vec![]);
        assert_eq!(warnings(&spec)[0].field, field);
    }
}
