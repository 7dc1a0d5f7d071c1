//! Checks that no two controllers serve one class: both would read each value, and each would undo what the other writes.

use kube::core::DynamicObject;
use serde_json::Value;

use super::finding::{Check, Finding};

const ONE: Check = Check::new("controller", "one-controller");

/// The class of a controller without the flag, here and in ESO.
const DEFAULT_CLASS: &str = "default";

/// A Deployment that runs a controller.
struct Controller<'a> {
    namespace: &'a str,
    name: &'a str,
    class: &'a str,
    /// The only namespace that it works in.
    scope: Option<&'a str>,
}

/// The first two of these Deployments that serve one class in one namespace.
pub(super) fn look(deployments: &[DynamicObject]) -> Option<Finding> {
    let controllers: Vec<_> = deployments.iter().filter_map(Controller::of).collect();
    if controllers.is_empty() {
        return None;
    }
    let rivals = controllers.iter().enumerate().find_map(|(index, one)| {
        let other = controllers.iter().skip(index + 1).find(|other| one.rivals(other))?;
        Some((one, other))
    });
    let Some((one, other)) = rivals else {
        return Some(ONE.ok("each class has one controller"));
    };
    let message = format!(
        "two controllers serve the class {:?}: Deployment {}/{} and Deployment {}/{}",
        one.class, one.namespace, one.name, other.namespace, other.name
    );
    let remedy =
        "Scale one of them to 0, or give it another `--controller-class` and its stores the same `spec.controller`.";
    Some(ONE.failed(message, remedy, "docs/upgrade-from-eso.md").about("Deployment", other.namespace, other.name))
}

impl<'a> Controller<'a> {
    /// What runs in a Deployment; nothing if it is scaled to 0.
    fn of(deployment: &'a DynamicObject) -> Option<Self> {
        if deployment.data["spec"]["replicas"] == 0 {
            return None;
        }
        let pod = &deployment.data["spec"]["template"]["spec"];
        Some(Self {
            namespace: deployment.metadata.namespace.as_deref().unwrap_or_default(),
            name: deployment.metadata.name.as_deref().unwrap_or_default(),
            class: argument(pod, "--controller-class=").unwrap_or(DEFAULT_CLASS),
            scope: argument(pod, "--namespace="),
        })
    }

    /// Whether both work on the same objects. In one namespace they have one lease, so that only one of them works.
    fn rivals(&self, other: &Self) -> bool {
        let overlap = self.scope.is_none() || other.scope.is_none() || self.scope == other.scope;
        self.class == other.class && overlap && self.namespace != other.namespace
    }
}

/// The value of an argument of a Pod's containers, if it is there and not empty.
pub(super) fn argument<'a>(pod: &'a Value, flag: &str) -> Option<&'a str> {
    let containers = pod["containers"].as_array()?;
    let mut arguments = containers.iter().filter_map(|container| container["args"].as_array()).flatten();
    let value = arguments.find_map(|argument| argument.as_str()?.strip_prefix(flag));
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::person::outcome::Outcome;

    fn came_to(others: &[Value]) -> Outcome {
        let all = [&[json!(["ours", 1, []])], others].concat();
        let deployment = |described: &Value| {
            serde_json::from_value::<DynamicObject>(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"namespace": described[0], "name": "external-secrets"},
                "spec": {"replicas": described[1], "template": {"spec": {"containers": [{"args": described[2]}]}}},
            }))
            .unwrap()
        };
        look(&all.iter().map(deployment).collect::<Vec<_>>()).unwrap().outcome
    }

    #[test]
    fn two_controllers_of_one_class_are_found_unless_they_cannot_meet() {
        assert_eq!(came_to(&[]), Outcome::Ok);
        assert_eq!(came_to(&[json!(["theirs", 1, []])]), Outcome::Failed);
        assert_eq!(came_to(&[json!(["theirs", 1, ["--namespace=shop"]])]), Outcome::Failed);
        assert_eq!(came_to(&[json!(["theirs", 1, ["--controller-class=other"]])]), Outcome::Ok);
        assert_eq!(came_to(&[json!(["theirs", 0, []])]), Outcome::Ok);
        assert_eq!(came_to(&[json!(["ours", 1, []])]), Outcome::Ok);
    }
}
