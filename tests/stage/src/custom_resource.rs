//! A kind of custom resource to write.

use serde_json::{Value, json};

/// A custom resource in every test cluster. Its `mode` has a default, and it validates hosts.
pub fn app_config() -> Value {
    definition("AppConfig", "appconfigs")
}

/// A definition for such a kind.
pub fn definition(kind: &str, plural: &str) -> Value {
    let host = json!({"type": "string", "pattern": "^[a-z.]*$"});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut spec = open.clone();
    spec["properties"] = json!({
        "database": {"type": "object", "properties": {"host": host, "name": {"type": "string"}, "port": {"type": "integer"}}},
        "mode": {"type": "string", "default": "safe"},
    });
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": open}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.config.example.com")},
        "spec": {
            "group": "config.example.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                          "schema": {"openAPIV3Schema": schema}}],
        },
    })
}
