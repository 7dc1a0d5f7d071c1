//! The documents of a text, each read by itself, so that one that cannot be read keeps none of the others.

use std::ops::Range;

use serde_json::Value;

use super::tree::{Malformed, Mark, Node};
use crate::template::yaml;

/// A part of a text that is a document.
pub(in crate::cli) struct Document {
    /// Its bytes in the text.
    pub(in crate::cli) range: Range<usize>,
    /// How many lines stand before it.
    pub(in crate::cli) lines_before: usize,
    /// What the API server gets of it.
    pub(in crate::cli) value: Value,
    /// Where everything in it stands, counted from its beginning.
    pub(in crate::cli) tree: Node,
}

/// A part of a text that cannot be read.
pub(in crate::cli) struct Broken {
    /// Its bytes in the text.
    pub(in crate::cli) range: Range<usize>,
    /// Where, in the text, and why.
    pub(in crate::cli) why: Malformed,
}

impl Document {
    /// Where something in it stands in the text.
    pub(in crate::cli) fn mark(&self, mark: Mark) -> Mark {
        Mark { line: mark.line + self.lines_before, ..mark }
    }
}

/// The documents of a text, in its order. Parts without content are none.
pub(in crate::cli) fn documents(text: &str) -> Vec<Result<Document, Broken>> {
    let (mut lines_before, mut counted) = (0, 0);
    let read = |range: Range<usize>| {
        // Counted from one document to the next: a file may have thousands.
        lines_before += text.get(counted..range.start).unwrap_or_default().matches('\n').count();
        counted = range.start;
        document(text, range, lines_before).transpose()
    };
    parts(text).into_iter().filter_map(read).collect()
}

fn document(text: &str, range: Range<usize>, lines_before: usize) -> Result<Option<Document>, Broken> {
    let part = text.get(range.clone()).unwrap_or_default();
    let broken = |Malformed { mark: Mark { line, column }, problem }| Broken {
        range: range.clone(),
        why: Malformed { mark: Mark { line: line + lines_before, column }, problem },
    };
    let read = Node::read(part);
    let value = if let Some(value) = serde_json::from_str(part).ok().filter(Value::is_object) {
        value
    } else {
        if let Err(malformed) = read {
            return Err(broken(malformed));
        }
        let failed = |error: yaml::DocumentsError| {
            broken(Malformed { mark: Mark { line: error.line, column: 1 }, problem: error.problem })
        };
        yaml::read_manifest(part.as_bytes()).map_err(failed)?
    };
    // JSON that is not YAML, by an escape of its own, has no places.
    let nowhere = || Node { mark: Mark::START, range: 0..0, content: super::tree::Content::Map(Vec::new()) };
    let tree = match read {
        Ok(None) => return Ok(None),
        Ok(Some(tree)) => tree,
        Err(_) => nowhere(),
    };
    Ok((!value.is_null()).then_some(Document { range, lines_before, value, tree }))
}

/// The parts of a text between lines that begin with `---`, which end a document wherever they stand; of JSON each value.
fn parts(text: &str) -> Vec<Range<usize>> {
    if let Some(parts) = json_parts(text) {
        return parts;
    }
    let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let (mut parts, mut start, mut at) = (Vec::new(), first, first);
    for line in text.get(first..).unwrap_or_default().split_inclusive('\n') {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r'])) {
            // The line is kept with what follows, since content may begin on it.
            parts.push(start..at);
            start = at;
        }
        at += line.len();
    }
    parts.push(start..text.len());
    parts.retain(|part| !part.is_empty());
    parts
}

/// JSON values one after the other; `None` if it is anything else.
fn json_parts(text: &str) -> Option<Vec<Range<usize>>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut parts = Vec::new();
    loop {
        let rest = text.get(values.byte_offset()..)?;
        let begin = text.len() - rest.trim_start().len();
        let Some(value) = values.next() else { return Some(parts) };
        value.ok()?;
        parts.push(begin..values.byte_offset());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_is_read_by_itself_and_knows_its_lines() {
        let text = "# first\n---\na: 1\n--- # second\nb: [\n---\nc: |\n  ---x\n";
        let read = documents(text);
        let told = |document: &Result<Document, Broken>| match document {
            Ok(document) => (document.mark(document.tree.mark).line, document.value.to_string()),
            Err(broken) => (broken.why.mark.line, "broken".to_owned()),
        };
        let told: Vec<_> = read.iter().map(told).collect();
        assert_eq!(told[0], (3, r#"{"a":1}"#.to_owned()));
        assert_eq!((told[1].1.as_str(), told.len()), ("broken", 3));
        assert_eq!(told[2], (7, r#"{"c":"---x\n"}"#.to_owned()));
    }

    #[test]
    fn json_values_are_documents_and_a_key_twice_is_no_end() {
        let read = documents("{\"a\": \"\\ud83d\\ude00\"}\n{\"b\":\n\t1}");
        let values: Vec<_> = read.iter().map(|document| document.as_ref().ok().unwrap().value.to_string()).collect();
        assert_eq!(values, ["{\"a\":\"\u{1f600}\"}", r#"{"b":1}"#]);
        let twice = documents("a: 1\na: 2\n");
        assert_eq!(twice[0].as_ref().ok().unwrap().value["a"], 2);
    }
}
