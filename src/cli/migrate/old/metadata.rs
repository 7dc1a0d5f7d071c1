//! Labels and annotations that went from an object to its Secret.

use serde_json::{Map, Value};

/// What tools write for themselves: on the Secret it would make them look for it in git.
const OF_TOOLS: [&str; 7] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/",
    "app.kubernetes.io/instance",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "app.kubernetes.io/managed-by",
];

/// The labels and annotations of an object without those of tools, as `target.template.metadata`; nothing where there are none.
pub(super) fn copied(metadata: &Value) -> Option<Value> {
    let mut copied = Map::new();
    for field in ["labels", "annotations"] {
        let of_field = metadata[field].as_object().into_iter().flatten();
        let kept: Map<_, _> = of_field
            .filter(|(name, _)| !OF_TOOLS.iter().any(|tool| name.starts_with(tool)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !kept.is_empty() {
            copied.insert(field.to_owned(), kept.into());
        }
    }
    (!copied.is_empty()).then(|| copied.into())
}

/// Text that is no action of a template, since labels and annotations are rendered.
pub(super) fn literal(metadata: Value) -> Value {
    match metadata {
        Value::String(text) if text.contains("{{") => Value::String(text.replace("{{", "{{ \"{{\" }}")),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, literal(value))).collect(),
        other => other,
    }
}
