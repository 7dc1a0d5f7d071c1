//! What the schema of a kind says of an object: unknown fields, wrong types, and what is missing.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

use super::problem::{Finding, Fix, Id};
use crate::cli::nearest::nearest;

/// Whether an object is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completeness {
    /// It is.
    Whole,
    /// It is a patch of another: what it lacks is not missing.
    Patch,
}

/// All that the schema finds of an object.
pub(super) fn check(object: &Value, schema: &JSONSchemaProps, completeness: Completeness) -> Vec<Finding> {
    let mut check = Check { completeness, findings: Vec::new() };
    if let Value::Object(fields) = object {
        check.metadata(&object["metadata"]);
        // The API server has a schema of its own for it, and nobody writes a status.
        let fields: Map<_, _> = fields
            .iter()
            .filter(|(name, _)| !["metadata", "status"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        check.object(&fields, schema, "");
    }
    check.findings
}

struct Check {
    completeness: Completeness,
    findings: Vec<Finding>,
}

impl Check {
    /// Labels and annotations are texts.
    fn metadata(&mut self, metadata: &Value) {
        for field in ["labels", "annotations"] {
            for (key, value) in metadata[field].as_object().into_iter().flatten() {
                if !value.is_null() {
                    self.expect_text(value, &format!("metadata.{field}.{key}"));
                }
            }
        }
    }

    fn value(&mut self, value: &Value, schema: &JSONSchemaProps, path: &str) {
        if value.is_null() || schema.x_kubernetes_int_or_string == Some(true) {
            return;
        }
        match (schema.type_.as_deref(), value) {
            (Some("string"), Value::String(text)) => self.one_of(text, schema, path),
            (Some("string"), _) => self.expect_text(value, path),
            (Some("object"), Value::Object(fields)) => self.object(fields, schema, path),
            (Some("array"), Value::Array(items)) => {
                if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                    for (index, item) in items.iter().enumerate() {
                        self.value(item, schema, &format!("{path}[{index}]"));
                    }
                }
            }
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Some("number"), Value::Number(_)) | (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(wanted), _) => {
                let message = format!("is {}, and must be {}", described(value), with_article(wanted));
                self.findings.push(Finding::error(Id::Type, path, message));
            }
        }
    }

    fn expect_text(&mut self, value: &Value, path: &str) {
        let finding = match value {
            Value::String(_) => return,
            Value::Number(_) | Value::Bool(_) => {
                let message =
                    format!("without quotes it is {} in YAML, and must be text; put it in quotes", described(value));
                Finding::error(Id::Type, path, message).with_fix(Fix::Quote)
            }
            _ => Finding::error(Id::Type, path, format!("is {}, and must be text", described(value))),
        };
        self.findings.push(finding);
    }

    fn one_of(&mut self, text: &str, schema: &JSONSchemaProps, path: &str) {
        let Some(allowed) = &schema.enum_ else { return };
        let allowed: Vec<_> = allowed.iter().filter_map(|value| value.0.as_str()).collect();
        if allowed.contains(&text) || text.is_empty() {
            return;
        }
        let said = match nearest(text, allowed.iter().copied()) {
            Some(meant) => format!("; did you mean {meant:?}?"),
            None => String::new(),
        };
        let message = format!("is none of {}{said}", allowed.join(", "));
        self.findings.push(Finding::error(Id::Type, path, message));
    }

    fn object(&mut self, fields: &Map<String, Value>, schema: &JSONSchemaProps, path: &str) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let mut meant = Vec::new();
        for (name, value) in fields {
            match (schema.properties.as_ref().and_then(|known| known.get(name)), &schema.additional_properties) {
                (Some(schema), _) => self.value(value, schema, &below(name)),
                (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => self.value(value, schema, &below(name)),
                (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
                _ if schema.x_kubernetes_preserve_unknown_fields == Some(true) || schema.properties.is_none() => {}
                _ => meant.extend(self.unknown(name, fields, schema, below(name))),
            }
        }
        if self.completeness == Completeness::Whole {
            let missing = schema.required.iter().flatten().filter(|name| fields.get(*name).is_none_or(Value::is_null));
            // A misspelled field is reported once.
            for name in missing.filter(|name| !meant.contains(&name.as_str())) {
                self.findings.push(Finding::error(Id::Type, path, format!("has no {name}, which it must have")));
            }
        }
    }

    /// Gives the field that was meant, if that can be told.
    fn unknown<'s>(
        &mut self,
        name: &str,
        fields: &Map<String, Value>,
        schema: &'s JSONSchemaProps,
        path: String,
    ) -> Option<&'s str> {
        let known = schema.properties.iter().flatten().map(|(name, _)| name.as_str());
        let meant = nearest(name, known.filter(|known| !fields.contains_key(*known)));
        let message = match meant {
            Some(meant) => format!("no such field; did you mean {meant:?}?"),
            None => "no such field; the API server drops it silently".to_owned(),
        };
        let finding = Finding::error(Id::UnknownField, path, message);
        // Only what nobody can mean otherwise is changed by itself.
        let sure = meant.filter(|meant| name.eq_ignore_ascii_case(meant));
        self.findings.push(match sure {
            Some(meant) => finding.with_fix(Fix::Rename(meant.to_owned())),
            None => finding,
        });
        meant
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn with_article(type_: &str) -> String {
    match type_ {
        "object" => "a mapping".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}
