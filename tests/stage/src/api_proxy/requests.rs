//! What a request to the API server asks for.

use http::Method;

/// Whether a request changes anything that matters; events and tokens do not.
pub(super) fn is_write(method: &Method, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    changes && !path.ends_with("/events") && !path.contains("/events/") && !path.ends_with("/token")
}

/// The right that a request needs, as `verb group/resource`; `None` if anybody may send it.
pub(super) fn right_of(method: &Method, path: &str) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match &parts[..] {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let resource = match rest {
        [resource, _, subresource] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
        [] => return None,
    };
    let verb = match (method.as_str(), rest.len()) {
        ("GET", 1) if query.split('&').any(|part| part == "watch=true") => "watch",
        ("GET", 1) => "list",
        ("GET", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", 1) => "deletecollection",
        ("DELETE", _) => "delete",
        _ => return None,
    };
    Some(format!("{verb} {group}/{resource}"))
}
