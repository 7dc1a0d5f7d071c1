//! What templates write into an object, path by path.

use std::fmt;

use serde_json::{Map, Value};

use super::wipe::wipe;
use crate::api::FieldPath;
use crate::api::field_path::Step;

/// A value for one path in an object, overwritten when dropped. `Debug` prints only the path.
#[derive(Clone)]
pub struct Edit {
    /// The place.
    pub path: FieldPath,
    /// How to write the value.
    pub mode: EditMode,
    value: Value,
}

/// How to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditMode {
    /// Replace the existing value.
    Replace,
    /// If both are mappings, add its keys; otherwise replace the existing value.
    Merge,
}

/// What blocks an edit: something of another type on the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The path to it.
    pub path: String,
    /// Its type, such as `string`.
    pub found: &'static str,
    /// The type that is needed.
    pub wanted: &'static str,
}

/// Why an edit is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// Something blocks it.
    Obstacle(Obstacle),
    /// Indexes beyond the ends of lists add more than [`Filling::MOST`] elements.
    Filling {
        /// The path that exceeds the limit.
        path: String,
    },
}

/// How many elements all edits of an object may still add to lists to reach indexes beyond their ends.
#[derive(Debug)]
pub struct Filling {
    left: usize,
}

impl Filling {
    /// The limit.
    pub const MOST: usize = 20_000;
}

impl Default for Filling {
    fn default() -> Self {
        Self { left: Self::MOST }
    }
}

impl Edit {
    /// An edit.
    #[must_use]
    pub const fn new(path: FieldPath, mode: EditMode, value: Value) -> Self {
        Self { path, mode, value }
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Writes the value into an object, creating missing mappings and lists on the path. Elements that are added to
    /// lists are charged to `filling`.
    ///
    /// # Errors
    /// [`EditError`]
    pub fn apply(&self, root: &mut Value, filling: &mut Filling) -> Result<(), EditError> {
        let place = place(root, &self.path, filling)?;
        match (self.mode, place, &self.value) {
            (EditMode::Merge, Value::Object(existing), Value::Object(added)) => {
                for (key, value) in added {
                    set(existing.entry(key.clone()).or_insert(Value::Null), value.clone());
                }
            }
            (_, place, value) => set(place, value.clone()),
        }
        Ok(())
    }
}

impl Drop for Edit {
    fn drop(&mut self) {
        wipe(&mut self.value);
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({} {:?})", self.path, self.mode)
    }
}

fn set(place: &mut Value, value: Value) {
    wipe(place);
    *place = value;
}

/// The value at a path, created if it is missing.
fn place<'v>(root: &'v mut Value, path: &FieldPath, filling: &mut Filling) -> Result<&'v mut Value, EditError> {
    let mut node = root;
    for step in path.steps() {
        let found = type_name(node);
        let obstacle = |wanted| EditError::Obstacle(Obstacle { path: path.to_string(), found, wanted });
        node = match step {
            Step::Key(key) => {
                if node.is_null() {
                    *node = Value::Object(Map::new());
                }
                node.as_object_mut().ok_or_else(|| obstacle("mapping"))?.entry(key.clone()).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if node.is_null() {
                    *node = Value::Array(Vec::new());
                }
                let items = node.as_array_mut().ok_or_else(|| obstacle("list"))?;
                if items.len() <= *index {
                    let left = filling.left.checked_sub(index + 1 - items.len());
                    filling.left = left.ok_or_else(|| EditError::Filling { path: path.to_string() })?;
                    items.resize(index + 1, Value::Null);
                }
                &mut items[*index]
            }
        };
    }
    Ok(node)
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "mapping",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("spec.config", EditMode::Replace, json!("x"), json!({"spec": {"config": "x", "other": 1}}))]
    #[case("spec.a.b", EditMode::Replace, json!("x"), json!({"spec": {"a": {"b": "x"}, "other": 1}}))]
    #[case("spec", EditMode::Merge, json!({"a": 1}), json!({"spec": {"a": 1, "other": 1}}))]
    #[case("spec", EditMode::Replace, json!({"a": 1}), json!({"spec": {"a": 1}}))]
    #[case("spec.other", EditMode::Merge, json!({"a": 1}), json!({"spec": {"other": {"a": 1}}}))]
    #[case("spec.rules[1].from", EditMode::Merge, json!([1]), json!({"spec": {"other": 1, "rules": [null, {"from": [1]}]}}))]
    #[case("data.a", EditMode::Replace, json!("x"), json!({"spec": {"other": 1}, "data": {"a": "x"}}))]
    fn a_value_comes_to_its_place(
        #[case] path: &str,
        #[case] mode: EditMode,
        #[case] value: Value,
        #[case] expected: Value,
    ) {
        let mut object = json!({"spec": {"other": 1}});
        Edit::new(path.parse().unwrap(), mode, value).apply(&mut object, &mut Filling::default()).unwrap();
        assert_eq!(object, expected);
    }

    #[test]
    fn what_else_is_in_an_element_of_a_list_stays() {
        let mut object = json!({"spec": {"rules": [{"from": [{"source": {"a": 1}, "b": 2}]}]}});
        let path = "spec.rules[0].from[0].source.notRemoteIpBlocks".parse().unwrap();
        Edit::new(path, EditMode::Merge, json!(["10.0.0.0/8"])).apply(&mut object, &mut Filling::default()).unwrap();
        let source = json!({"a": 1, "notRemoteIpBlocks": ["10.0.0.0/8"]});
        assert_eq!(object, json!({"spec": {"rules": [{"from": [{"source": source, "b": 2}]}]}}));
    }

    #[rstest]
    #[case("spec.text.a", "string", "mapping")]
    #[case("spec.text[0]", "string", "list")]
    #[case("spec[0]", "mapping", "list")]
    fn what_is_in_the_way_is_named_by_its_type(
        #[case] path: &str,
        #[case] found: &'static str,
        #[case] wanted: &'static str,
    ) {
        let mut object = json!({"spec": {"text": "s3cret"}});
        let edit = Edit::new(path.parse().unwrap(), EditMode::Replace, json!(1));
        let obstacle = Obstacle { path: path.to_owned(), found, wanted };
        assert_eq!(edit.apply(&mut object, &mut Filling::default()), Err(EditError::Obstacle(obstacle)));
    }

    #[test]
    fn what_indexes_fill_up_is_bounded_for_all_edits_of_an_object_together() {
        let (mut object, mut filling) = (json!({}), Filling::default());
        let paths = (0..128).map(|number| format!("spec.k{number}{}", "[10000]".repeat(62)));
        let error = paths.map(|path| Edit::new(path.parse().unwrap(), EditMode::Replace, json!(1)));
        let error = error.map(|edit| edit.apply(&mut object, &mut filling)).find_map(Result::err);
        assert!(matches!(error, Some(EditError::Filling { .. })), "{error:?}");
        assert!(object.to_string().len() < 5 * Filling::MOST);
    }
}
