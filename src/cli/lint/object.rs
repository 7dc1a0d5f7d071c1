//! An object in a document, and where its fields stand.

use serde_json::Value;

use super::fields::Completeness;
use super::problem::{Finding, Fix, Id, Level, Problem};
use crate::cli::source::documents::Document;
use crate::cli::source::edit::Edit;
use crate::cli::source::tree::{Content, Found, Mark, Node};

/// An object in a document.
pub(super) struct Object<'d> {
    /// Which file, and its name.
    pub(super) file: usize,
    pub(super) path: &'d str,
    document: &'d Document,
    /// The path to it in the document; empty where it is the document.
    prefix: String,
    pub(super) value: &'d Value,
    pub(super) completeness: Completeness,
    /// What the comments above its document disable.
    disabled: &'d [String],
}

impl<'d> Object<'d> {
    /// The objects of a document: itself, or the items of a List.
    pub(super) fn of(
        (file, path): (usize, &'d str),
        document: &'d Document,
        completeness: Completeness,
        disabled: &'d [String],
    ) -> Vec<Self> {
        let object = |value, prefix| Self { file, path, document, prefix, value, completeness, disabled };
        match document.value["items"].as_array().filter(|_| document.value["kind"] == "List") {
            Some(items) => {
                items.iter().enumerate().map(|(index, item)| object(item, format!("items[{index}]"))).collect()
            }
            None => vec![object(&document.value, String::new())],
        }
    }

    /// A text in it.
    pub(super) fn text(&self, pointer: &str) -> &'d str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &'d str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &'d str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> &'d str {
        self.text("/metadata/namespace")
    }

    /// The group of its `apiVersion`.
    pub(super) fn group(&self) -> &'d str {
        self.text("/apiVersion").split_once('/').map_or("", |(group, _)| group)
    }

    /// A problem where its field stands; none if it is disabled, or if the value is still to be filled in.
    pub(super) fn problem(&self, finding: Finding) -> Option<Problem> {
        let Finding { id, level, field, message, fix } = finding;
        if self.disabled.contains(&id.name()) {
            return None;
        }
        let found = self.find(&field);
        let is_of_value = !matches!(id, Id::UnknownField | Id::OldVersion);
        if is_of_value && found.as_ref().is_some_and(|found| holds_placeholder(found.value)) {
            return None;
        }
        let mark = found.as_ref().map_or(self.start(), |found| found.at.mark);
        let edits = match (found, fix) {
            (Some(found), Some(fix)) if found.is_whole => self.edit(&found, fix),
            _ => None,
        };
        Some(Problem {
            id,
            level,
            file: self.file,
            path: self.path.to_owned(),
            mark: self.document.mark(mark),
            field: match (self.prefix.as_str(), field.as_str()) {
                ("", _) => field,
                (prefix, "") => prefix.to_owned(),
                (prefix, _) => format!("{prefix}.{field}"),
            },
            message,
            edits: edits.into_iter().collect(),
        })
    }

    /// Keys that a mapping in it has twice.
    pub(super) fn repeated_keys(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let node =
            if self.prefix.is_empty() { Some(&self.document.tree) } else { self.find("").map(|found| found.value) };
        if let Some(node) = node.filter(|_| !self.disabled.contains(&Id::Twice.name())) {
            self.repeated_below(node, &mut problems);
        }
        problems
    }

    fn repeated_below(&self, node: &Node, problems: &mut Vec<Problem>) {
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in node.entries() {
            let text = key.text().unwrap_or_default();
            if text != "<<" && seen.contains(&text) {
                problems.push(Problem {
                    id: Id::Twice,
                    level: Level::Warning,
                    file: self.file,
                    path: self.path.to_owned(),
                    mark: self.document.mark(key.mark),
                    field: String::new(),
                    message: format!(
                        "the key {text:?} is given twice: kubectl takes the last and says nothing, kustomize refuses it; keep one"
                    ),
                    edits: Vec::new(),
                });
            }
            if seen.len() < 1000 {
                seen.push(text);
            }
            self.repeated_below(value, problems);
        }
        if let Content::List(items) = &node.content {
            for item in items {
                self.repeated_below(item, problems);
            }
        }
    }

    fn find(&self, field: &str) -> Option<Found<'d>> {
        let path = match (self.prefix.as_str(), field) {
            ("", field) => field.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, field) => format!("{prefix}.{field}"),
        };
        self.document.tree.find(&path)
    }

    /// Where it begins.
    fn start(&self) -> Mark {
        self.find("").map_or(self.document.tree.mark, |found| found.at.mark)
    }

    fn edit(&self, found: &Found<'_>, fix: Fix) -> Option<Edit> {
        let source = |node: &Node| (node.range.len() < 1000).then(|| node.range.clone());
        let is_plain = |node: &Node| matches!(&node.content, Content::Scalar(scalar) if scalar.is_plain && !scalar.text.is_empty());
        let edit = match fix {
            // What is plain and no text has no quotes within it.
            Fix::Quote if is_plain(found.value) => {
                Edit::new(source(found.value)?, format!("\"{}\"", found.value.text()?))
            }
            Fix::Rename(key) if is_plain(found.at) => Edit::new(source(found.at)?, key),
            Fix::Rename(key) if found.at.range.len() == found.at.text()?.len() + 2 => {
                let range = source(found.at)?;
                Edit::new(range.start + 1..range.end - 1, key)
            }
            Fix::Replace(old, new) => {
                let range = source(found.value)?;
                let text = as_it_stands(found.value)?;
                let at = text.find(old)?;
                Edit::new(range.start + at..range.start + at + old.len(), new)
            }
            Fix::Quote | Fix::Rename(_) => return None,
        };
        Some(edit.moved_by(self.document.range.start))
    }
}

/// A scalar as it stands, with some quotes where it has any; none where it has escapes or folds.
fn as_it_stands(node: &Node) -> Option<String> {
    let text = node.text()?;
    match node.range.len().checked_sub(text.len())? {
        0 => Some(text.to_owned()),
        2 => Some(format!("\"{text}\"")),
        _ => None,
    }
}

/// Whether a value is filled in later: by `envsubst` or Flux (`${VAR}`), a template that is not rendered (`{{ }}`), or a mark such as `%APP%`.
fn holds_placeholder(node: &Node) -> bool {
    let Some(text) = node.text() else { return false };
    let between = |begin: &str, end: &str| text.split_once(begin).is_some_and(|(_, rest)| rest.contains(end));
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    between("${", "}") || text.split('%').skip(1).step_by(2).any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_later_is_known() {
        let holds = |text: &str| holds_placeholder(&Node::read(text).ok().unwrap().unwrap());
        assert!(holds("'${APP:=web}-db'") && holds("x-%APP_1%") && holds("'${D/./-}'"));
        assert!(!holds("100%") && !holds("a%b%c") && !holds("$x"));
    }
}
