//! What the API server itself rejects, as CEL rules: a part of what ESO's webhook rejects and nothing else, so that
//! every manifest that ESO accepts is accepted here.
//!
//! Each rule is placed as deep in the schema as possible. Since Kubernetes 1.30 the API server does not apply a rule to
//! a part that an update does not change, so an object that was stored before the rule existed can still be changed
//! elsewhere, and its status can be written. That only holds if the rule evaluates, so an expression must not fail, as
//! `duration('x')` does.
//!
//! The remaining checks of ESO's webhook are left to the webhook:
//! - References of a namespaced SecretStore to other namespaces: a rule does not see the namespace.
//! - Invalid regular expressions of namespaces, and a repeated `secretKey`: if strings and lists are not bounded, these
//!   rules cost more than the API server allows, and bounds would reject what ESO accepts.
//! - Other values of `target` in `templateFrom` than the three of a Secret, and other spellings of `annotations`: ESO
//!   ignores case, which costs too much here for the same reason.
//! - An ExternalSecret without a `spec`: only a rule on the whole object could see that, and it would also prevent the
//!   removal of finalizers from a stored one.
//!
//! No rule checks the `refreshInterval` of an ExternalSecret, which ESO's validation does not check either. The
//! controller reports an invalid duration in a condition.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};

/// A rule and the part of the schema that it checks.
pub(super) struct Rule {
    /// The names of the fields from the root down; `[]` stands for the items of a list.
    at: &'static [&'static str],
    /// The CEL expression; true if the part is valid.
    expression: &'static str,
    /// What is wrong and what to change. The API server prefixes the path of the field.
    message: &'static str,
    /// The field below that part that has to be changed, as the API server names it.
    field: Option<&'static str>,
}

/// Rules for `ExternalSecret`.
pub(super) const EXTERNAL_SECRET: &[Rule] = &[
    Rule {
        at: &["spec"],
        expression: "has(self.data) && size(self.data) > 0 || has(self.dataFrom) && size(self.dataFrom) > 0",
        message: "nothing to read: add an entry to spec.data or spec.dataFrom",
        field: None,
    },
    Rule {
        at: &["spec", "target"],
        expression: "!(has(self.deletionPolicy) && self.deletionPolicy == 'Delete' && has(self.creationPolicy) \
                     && self.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])",
        message: "spec.target.deletionPolicy Delete would delete a Secret that the ExternalSecret does not own: set \
                  spec.target.creationPolicy to Owner, or spec.target.deletionPolicy to Retain",
        field: Some(".deletionPolicy"),
    },
    Rule {
        at: &["spec", "target"],
        expression: "!(has(self.deletionPolicy) && self.deletionPolicy == 'Merge' && has(self.creationPolicy) \
                     && self.creationPolicy == 'None')",
        message: "spec.target.deletionPolicy Merge has no Secret to remove keys from: set spec.target.creationPolicy to \
                  another value than None, or spec.target.deletionPolicy to Retain",
        field: Some(".deletionPolicy"),
    },
    Rule {
        at: &["spec", "target", "template"],
        expression: "!has(self.type) || self.type != 'bootstrap.kubernetes.io/token'",
        message: "a bootstrap token would let its holder join the cluster: set spec.target.template.type to another type",
        field: Some(".type"),
    },
    Rule {
        at: &["spec", "target", "template"],
        expression: "!(has(self.type) && self.type == 'kubernetes.io/service-account-token' && has(self.metadata) \
                     && has(self.metadata.annotations) \
                     && 'kubernetes.io/service-account.name' in self.metadata.annotations)",
        message: "Kubernetes would write a token of the service account into the Secret: set spec.target.template.type to \
                  another type, or remove the annotation kubernetes.io/service-account.name",
        field: Some(".type"),
    },
    Rule {
        at: &["spec", "target", "template"],
        expression: "!(has(self.type) && self.type == 'kubernetes.io/service-account-token' && has(self.templateFrom) \
                     && self.templateFrom.exists(from, from.target == 'Annotations'))",
        message: "templates could name any service account, whose token Kubernetes would write into the Secret: set \
                  spec.target.template.type to another type, or the target in spec.target.template.templateFrom to Data",
        field: Some(".type"),
    },
    Rule {
        at: &["spec", "dataFrom", "[]"],
        expression: "has(self.extract) || has(self.find) || has(self.sourceRef)",
        message: "nothing to read: set extract, find or sourceRef in this entry of spec.dataFrom",
        field: None,
    },
    Rule {
        at: &["spec", "dataFrom", "[]"],
        expression: "!(has(self.extract) && has(self.find))",
        message: "extract and find exclude each other: give each an entry of its own in spec.dataFrom",
        field: None,
    },
    Rule {
        at: &["spec", "dataFrom", "[]"],
        expression: "!(has(self.extract) && has(self.sourceRef) && has(self.sourceRef.generatorRef))",
        message: "extract and a generator exclude each other: give each an entry of its own in spec.dataFrom",
        field: None,
    },
    Rule {
        at: &["spec", "dataFrom", "[]"],
        expression: "!(has(self.find) && has(self.sourceRef) && has(self.sourceRef.generatorRef))",
        message: "find and a generator exclude each other: give each an entry of its own in spec.dataFrom",
        field: None,
    },
];

const INTERVAL: &str =
    "spec.refreshInterval must be a number of seconds, or a duration such as \"5m\" or \"1h30m\", and not negative";

/// Rules for `SecretStore` and `ClusterSecretStore`.
pub(super) const STORE: &[Rule] = &[
    Rule {
        at: &["spec", "refreshInterval"],
        expression: r"type(self) == int || self.matches('^[-+]?(0|((\\d+\\.?\\d*|\\.\\d+)([nuµμm]?s|[mh]))+)$')",
        message: INTERVAL,
        field: None,
    },
    Rule {
        at: &["spec", "refreshInterval"],
        expression: "type(self) == int ? self >= 0 : !self.matches('^-.*[1-9]')",
        message: INTERVAL,
        field: None,
    },
    Rule {
        at: &["spec", "provider", "azurekv"],
        expression: "!(has(self.environmentType) && self.environmentType == 'AzureStackCloud') || has(self.customCloudConfig)",
        message: "environmentType AzureStackCloud has no endpoints of its own: describe them in \
                  spec.provider.azurekv.customCloudConfig",
        field: Some(".environmentType"),
    },
    Rule {
        at: &["spec", "provider", "azurekv"],
        expression: "!has(self.customCloudConfig) || (has(self.useAzureSDK) && self.useAzureSDK)",
        message: "customCloudConfig needs spec.provider.azurekv.useAzureSDK to be true",
        field: Some(".customCloudConfig"),
    },
    Rule {
        at: &["spec", "provider", "azurekv", "customCloudConfig"],
        expression: "self.activeDirectoryEndpoint != ''",
        message: "spec.provider.azurekv.customCloudConfig.activeDirectoryEndpoint must be the URL of the authority that \
                  gives tokens",
        field: Some(".activeDirectoryEndpoint"),
    },
    Rule {
        at: &["spec", "provider", "fake", "data", "[]"],
        expression: "self.key != ''",
        message: "name the value in key, in this entry of spec.provider.fake.data",
        field: Some(".key"),
    },
    Rule {
        at: &["spec", "provider", "fake", "data", "[]"],
        expression: "self.value != ''",
        message: "give the value in value, in this entry of spec.provider.fake.data",
        field: Some(".value"),
    },
];

/// Why one of [`PUSH_SECRET`] refuses, in ESO's words.
const STORE_OF_SET: &str = "storeRef must specify either name or labelSelector";
const HAS_STORE: &str = "has(self.storeRef) && (has(self.storeRef.name) || has(self.storeRef.labelSelector))";
const ONE_MODE: &str =
    "remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode (without remoteKey)";
const IS_ONE_MODE: &str = "!has(self.remoteKey) || !has(self.rewrite) || size(self.rewrite) == 0";
const ONE_REWRITE: &str = "exactly one of regexp or transform must be set";
const IS_ONE_REWRITE: &str = "(has(self.regexp) && !has(self.transform)) || (!has(self.regexp) && has(self.transform))";

/// Rules for `PushSecret`, which are ESO's own.
pub(super) const PUSH_SECRET: &[Rule] = &[
    Rule { at: &["spec", "dataTo", "[]"], expression: HAS_STORE, message: STORE_OF_SET, field: None },
    Rule { at: &["spec", "dataTo", "[]"], expression: IS_ONE_MODE, message: ONE_MODE, field: None },
    Rule {
        at: &["spec", "dataTo", "[]", "rewrite", "[]"],
        expression: IS_ONE_REWRITE,
        message: ONE_REWRITE,
        field: None,
    },
];

/// The same for `ClusterPushSecret`, which has the spec of a PushSecret in a field.
pub(super) const CLUSTER_PUSH_SECRET: &[Rule] = &[
    Rule { at: &["spec", "pushSecretSpec", "dataTo", "[]"], expression: HAS_STORE, message: STORE_OF_SET, field: None },
    Rule { at: &["spec", "pushSecretSpec", "dataTo", "[]"], expression: IS_ONE_MODE, message: ONE_MODE, field: None },
    Rule {
        at: &["spec", "pushSecretSpec", "dataTo", "[]", "rewrite", "[]"],
        expression: IS_ONE_REWRITE,
        message: ONE_REWRITE,
        field: None,
    },
];

/// Writes rules into the schema of a whole object. A rule whose part is not there is left out; a
/// test makes sure that there is none.
pub(super) fn add(root: &mut JSONSchemaProps, rules: &[Rule]) {
    for rule in rules {
        let part = rule.at.iter().try_fold(&mut *root, |part, step| child(part, step));
        if let Some(part) = part {
            part.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
                field_path: rule.field.map(str::to_owned),
                message: Some(rule.message.to_owned()),
                rule: rule.expression.to_owned(),
                ..Default::default()
            });
        }
    }
}

fn child<'a>(part: &'a mut JSONSchemaProps, step: &str) -> Option<&'a mut JSONSchemaProps> {
    if step == "[]" {
        return match part.items.as_mut()? {
            JSONSchemaPropsOrArray::Schema(items) => Some(items),
            JSONSchemaPropsOrArray::Schemas(_) => None,
        };
    }
    part.properties.as_mut()?.get_mut(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crd;

    #[test]
    fn no_rule_names_a_part_that_the_schema_lacks() {
        for definition in crd::all() {
            let rules = match definition.spec.names.kind.as_str() {
                "ExternalSecret" => EXTERNAL_SECRET,
                "SecretStore" | "ClusterSecretStore" => STORE,
                "PushSecret" => PUSH_SECRET,
                "ClusterPushSecret" => CLUSTER_PUSH_SECRET,
                // ESO accepts any ClusterExternalSecret, and checks no generator.
                _ => &[],
            };
            for version in &definition.spec.versions {
                let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()).unwrap();
                let fields = crd::fields("", schema);
                let found = fields.iter().flat_map(|field| field.schema.x_kubernetes_validations.iter().flatten());
                assert_eq!(found.count(), rules.len(), "{} {}", definition.spec.names.kind, version.name);
            }
        }
    }
}
