//! The fields of a schema as a flat list.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// A field of a schema.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Its path, for example `.spec.data[].remoteRef.key`: `[]` stands for the items of a list, `{}`
    /// for the values of a map.
    pub path: String,
    /// Its schema.
    pub schema: &'a JSONSchemaProps,
}

impl Field<'_> {
    /// Whether it is a leaf: it holds a value itself.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        children(self.schema).next().is_none()
    }

    /// The values that it may have, if the schema lists them.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.schema.enum_.iter().flatten().filter_map(|value| value.0.as_str())
    }

    /// The default that the API server sets.
    #[must_use]
    pub fn default(&self) -> Option<&serde_json::Value> {
        self.schema.default.as_ref().map(|default| &default.0)
    }
}

/// All fields below `schema`, each after its parent. Paths start with `root`, which is empty for a whole object and is
/// not a field itself.
#[must_use]
pub fn fields<'a>(root: &str, schema: &'a JSONSchemaProps) -> Vec<Field<'a>> {
    let mut found = Vec::new();
    for (step, schema) in children(schema) {
        let path = format!("{root}{step}");
        let below = fields(&path, schema);
        found.push(Field { path, schema });
        found.extend(below);
    }
    found
}

/// The nodes directly below a node, each with the step of the path that leads there.
fn children(schema: &JSONSchemaProps) -> impl Iterator<Item = (String, &JSONSchemaProps)> {
    let properties = schema.properties.iter().flatten().map(|(name, property)| (format!(".{name}"), property));
    let items = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => Some(("[]".to_owned(), items.as_ref())),
        _ => None,
    };
    let values = match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(values)) => Some(("{}".to_owned(), values.as_ref())),
        _ => None,
    };
    properties.chain(items).chain(values)
}

#[cfg(test)]
mod tests {
    use super::super::external_secret_schema;
    use super::*;

    fn field<'a>(fields: &'a [Field<'a>], path: &str) -> &'a Field<'a> {
        fields.iter().find(|field| field.path == path).unwrap_or_else(|| panic!("no field {path}"))
    }

    #[test]
    fn fields_are_found_below_lists_and_maps_with_their_values_and_defaults() {
        let schema = external_secret_schema();
        let fields = fields("", &schema);
        let policy = field(&fields, ".spec.target.creationPolicy");
        assert_eq!(policy.values().collect::<Vec<_>>(), ["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]);
        assert_eq!(policy.default(), Some(&"Owner".into()));
        assert!(policy.is_leaf());
        assert!(field(&fields, ".spec.dataFrom[].rewrite[].regexp.source").is_leaf());
        assert!(field(&fields, ".spec.dataFrom[].find.tags{}").is_leaf());
        assert!(!field(&fields, ".spec.dataFrom[].find.tags").is_leaf());
        assert!(!field(&fields, ".spec.data").is_leaf());
    }
}
