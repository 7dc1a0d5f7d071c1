//! Schemas of fields that are more specific than their Rust types, as in ESO 2.9.0.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::v1::Condition;

/// The name of a Kubernetes object: a DNS subdomain.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// The name of a namespace: a DNS label.
pub(super) const NAMESPACE_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A key of a Secret or ConfigMap.
const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";
/// Five cron fields, or a descriptor.
const SCHEDULE: &str =
    r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$";

/// The kinds of `generators.external-secrets.io/v1alpha1`.
const GENERATOR_KINDS: [&str; 18] = [
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "ClusterGenerator",
    "CloudsmithAccessToken",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "QuayAccessToken",
    "Password",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    "Grafana",
    "MFA",
];

pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 253, "pattern": OBJECT_NAME })
}

pub(super) fn namespace_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 63, "pattern": NAMESPACE_NAME })
}

pub(super) fn data_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 253, "pattern": DATA_KEY })
}

pub(super) fn schedule(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "pattern": SCHEDULE })
}

pub(super) fn generator_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": GENERATOR_KINDS })
}

/// The kinds that a `ClusterGenerator` may contain.
pub(super) fn cluster_generator_kind(_: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<_> = GENERATOR_KINDS.into_iter().filter(|kind| *kind != "ClusterGenerator").collect();
    json_schema!({ "type": "string", "enum": kinds })
}

pub(super) fn ssh_key_size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 256, "maximum": 8192 })
}

/// Any JSON.
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

pub(super) fn integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer" })
}

pub(super) fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

/// Conditions with ESO's two types; a SecretStore's may have any.
pub(super) fn external_secret_conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut items = Condition::json_schema(generator);
    if let Some(kind) = items.pointer_mut("/properties/type") {
        kind["enum"] = serde_json::json!(["Ready", "Deleted"]);
    }
    json_schema!({ "type": "array", "items": items })
}

pub(super) fn label_selectors(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": label_selector(generator) })
}

/// `LabelSelector` with what Kubernetes' own schema only says in comments: which lists are atomic.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchExpressions": {
                "description": "Requirements on labels, all of which must hold.",
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "description": "A requirement on one label.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "description": "The label.", "type": "string" },
                        "operator": {
                            "description": "`In`, `NotIn`, `Exists` or `DoesNotExist`.",
                            "type": "string",
                        },
                        "values": {
                            "description": "The values, with `In` and `NotIn`; none otherwise.",
                            "type": "array",
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string" },
                        },
                    },
                },
            },
            "matchLabels": {
                "description": "Labels that must have these values.",
                "type": "object",
                "additionalProperties": { "type": "string" },
            },
        },
    })
}
