//! How the API server's refusal to write an object other than a Secret is reported. Its message may quote the object,
//! and with it values: a pattern in a `CustomResourceDefinition`, a CEL rule or a webhook can cause that.

use kube::api::ApiResource;
use kube::core::Status;

use crate::controller::core::api_call::ApiError;

/// How many fields to name.
const SHOWN: usize = 5;

/// Why an object could not be read or written, without values, and what to do if a right is missing.
pub(in crate::controller) fn reason(error: &ApiError, kind: &ApiResource) -> String {
    match error {
        ApiError::Kube(kube::Error::Api(status)) => of_status(status, kind),
        error => error.reason(),
    }
}

fn of_status(status: &Status, kind: &ApiResource) -> String {
    let (plural, group) = (&kind.plural, &kind.group);
    if status.code == 403 && is_of_rbac(status, plural) {
        return format!(
            "{}; allow the controller to get, list, watch, create, update and delete {plural} of the API group {group:?}, as the chart does for genericTargets.resources",
            status.message
        );
    }
    if let Some(rest) = status.message.strip_prefix("admission webhook \"")
        && let Some((webhook, _)) = rest.split_once('"')
    {
        return format!(
            "the admission webhook {webhook:?} refuses it; the reason is not shown here, since it may contain values"
        );
    }
    let causes = status.details.iter().flat_map(|details| &details.causes).filter(|cause| !cause.field.is_empty());
    let fields: Vec<_> = causes.take(SHOWN).map(|cause| format!("{} ({})", cause.field, cause.reason)).collect();
    if !fields.is_empty() {
        return format!("it is not valid in {}; values are not shown", fields.join(", "));
    }
    match status.code {
        // These messages contain only names.
        404 | 409 => status.message.clone(),
        code if status.reason.is_empty() => {
            format!("it answers {code}; the reason is not shown here, since it may contain values")
        }
        _ => format!("it answers {}; the reason is not shown here, since it may contain values", status.reason),
    }
}

/// `applications.argoproj.io "name" is forbidden: User "name" cannot create resource "applications" in API group ...`
fn is_of_rbac(status: &Status, plural: &str) -> bool {
    status.message.starts_with(plural)
        && status.message.contains("is forbidden: User \"")
        && status.message.contains("\" cannot ")
}
