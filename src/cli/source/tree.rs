//! A YAML document as a tree in which each value knows where it stands.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, options};
use zeroize::Zeroizing;

/// A place in a text: line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Mark {
    pub(in crate::cli) line: usize,
    pub(in crate::cli) column: usize,
}

impl Mark {
    /// The first character.
    pub(in crate::cli) const START: Self = Self { line: 1, column: 1 };
}

/// A value in a document.
pub(in crate::cli) struct Node {
    /// Where it begins.
    pub(in crate::cli) mark: Mark,
    /// Its bytes in the text that was read, of a scalar with its quotes.
    pub(in crate::cli) range: Range<usize>,
    pub(in crate::cli) content: Content,
}

/// What a value is.
pub(in crate::cli) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    /// Keys and values in their order; a key may be there twice.
    Map(Vec<(Node, Node)>),
    /// What stands elsewhere.
    Alias,
}

/// A single value.
pub(in crate::cli) struct Scalar {
    /// What it says, without quotes and escapes. It is wiped.
    pub(in crate::cli) text: Zeroizing<String>,
    /// Whether it is written without quotes, tag and block, so that it may mean a number.
    pub(in crate::cli) is_plain: bool,
}

/// Why a text is not YAML. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Malformed {
    pub(in crate::cli) mark: Mark,
    pub(in crate::cli) problem: String,
}

/// Where a field is.
pub(in crate::cli) struct Found<'a> {
    /// Its key; of an item of a list the item.
    pub(in crate::cli) at: &'a Node,
    /// Its value.
    pub(in crate::cli) value: &'a Node,
    /// Whether all of the path was found, or only its beginning.
    pub(in crate::cli) is_whole: bool,
}

impl Node {
    /// The first document of a text; none where it has no content.
    pub(in crate::cli) fn read(text: &str) -> Result<Option<Self>, Malformed> {
        let options = options! {
            emit_comments: false,
            bom_inside_document_as_content: true,
            block_scalar_eof_without_line_feed: true,
        };
        let mut builder = Builder::default();
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| Malformed {
                mark: Mark { line: error.marker().line(), column: error.marker().col() + 1 },
                problem: match error.kind() {
                    // The character is part of a value.
                    ErrorKind::UnexpectedCharacter { .. } => "unexpected character".to_owned(),
                    _ => error.info(),
                },
            })?;
            if matches!(event, Event::DocumentEnd) {
                break;
            }
            builder.take(event, span);
        }
        Ok(builder.root)
    }

    /// The entries of a mapping; of anything else there are none.
    pub(in crate::cli) fn entries(&self) -> &[(Self, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What a scalar says.
    pub(in crate::cli) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The field at a path such as `spec.data[0].remoteRef`. Keys may contain dots, and may be written as `["a.b"]`. If it does not exist,
    /// the longest part of the path that does; `None` if not even the first step exists.
    pub(in crate::cli) fn find(&self, path: &str) -> Option<Found<'_>> {
        let mut found: Option<Found<'_>> = None;
        let (mut node, mut rest) = (self, path);
        while !rest.is_empty() {
            let Some(Step { at, value, rest: after }) = node.step(rest) else { break };
            found = Some(Found { at, value, is_whole: after.is_empty() });
            (node, rest) = (value, after);
        }
        found
    }

    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<Step<'a, 'p>> {
        match &self.content {
            Content::Map(entries) => {
                // Backwards, since of equal steps the first is taken.
                let steps = entries.iter().rev().filter_map(|(key, value)| {
                    let rest = after_key(path, key.text()?)?;
                    Some(Step { at: key, value, rest })
                });
                // Of keys of which one begins with the other, the longer is meant; of equal ones the last counts.
                steps.min_by_key(|step| step.rest.len())
            }
            Content::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                Some(Step { at: item, value: item, rest: rest.strip_prefix('.').unwrap_or(rest) })
            }
            Content::Scalar(_) | Content::Alias => None,
        }
    }
}

struct Step<'a, 'p> {
    at: &'a Node,
    value: &'a Node,
    /// What of the path is still to go.
    rest: &'p str,
}

/// What of a path follows a key that it begins with.
fn after_key<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    if let Some(rest) = path.strip_prefix(&format!("[{key:?}]")) {
        return Some(rest.strip_prefix('.').unwrap_or(rest));
    }
    let rest = path.strip_prefix(key).filter(|_| !key.is_empty())?;
    match rest.strip_prefix('.') {
        Some(rest) => Some(rest),
        None => (rest.is_empty() || rest.starts_with('[')).then_some(rest),
    }
}

/// The collections that are being read.
#[derive(Default)]
struct Builder {
    open: Vec<(Node, Option<Node>)>,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let mark = Mark { line: span.start.line(), column: span.start.col() + 1 };
        let node = |content| Node { mark, range: span.byte_range().unwrap_or_default(), content };
        match event {
            Event::Scalar(text, style, _, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                self.add(node(Content::Scalar(Scalar { text: Zeroizing::new(text.into_owned()), is_plain })));
            }
            Event::Alias(_) => self.add(node(Content::Alias)),
            Event::SequenceStart(..) => self.open.push((node(Content::List(Vec::new())), None)),
            Event::MappingStart(..) => self.open.push((node(Content::Map(Vec::new())), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((mut node, _)) = self.open.pop() {
                    node.range.end = span.byte_range().unwrap_or_default().end.max(node.range.end);
                    self.add(node);
                }
            }
            _ => {}
        }
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Content::Scalar(_) | Content::Alias => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TEXT: &str = "# words\nspec:\n  ü: {a.b: 'x y'}\n  data:\n  - key: old # why\n  - {key: &a 1, other: *a}\n";

    #[rstest]
    #[case("spec", (2, 1), "spec", true)]
    #[case("spec.ü", (3, 3), "ü", true)]
    #[case("spec.ü.a.b", (3, 7), "a.b", true)]
    #[case("spec.ü[\"a.b\"]", (3, 7), "a.b", true)]
    #[case("spec.data[0].key", (5, 5), "key", true)]
    #[case("spec.data[1].key", (6, 6), "key", true)]
    #[case("spec.data[1].other.below", (6, 17), "other", false)]
    #[case("spec.data[7].key", (4, 3), "data", false)]
    fn a_field_is_found_where_it_stands(
        #[case] path: &str,
        #[case] (line, column): (usize, usize),
        #[case] text: &str,
        #[case] is_whole: bool,
    ) {
        let root = Node::read(TEXT).ok().unwrap().unwrap();
        let found = root.find(path).unwrap();
        assert_eq!((found.at.mark, found.is_whole), (Mark { line, column }, is_whole));
        assert_eq!(&TEXT[found.at.range.clone()], text);
    }

    #[test]
    fn the_bytes_of_a_scalar_are_its_text_as_it_stands() {
        let root = Node::read(TEXT).ok().unwrap().unwrap();
        let source = |path| &TEXT[root.find(path).unwrap().value.range.clone()];
        assert_eq!(
            [source("spec.ü.a.b"), source("spec.data[0].key"), source("spec.data[1].key")],
            ["'x y'", "old", "1"]
        );
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_is_meant() {
        let root = Node::read("a: 1\nb: {c: 2}\na: 3\nb: {c: 4}\n").ok().unwrap().unwrap();
        let line = |path| root.find(path).unwrap().at.mark.line;
        assert_eq!((line("a"), line("b.c")), (3, 4));
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        let malformed = Node::read("a: b\nc: [d").err().unwrap();
        assert_eq!(malformed.mark.line, 2, "{malformed:?}");
        assert!(Node::read("# nothing\n").ok().unwrap().is_none());
    }
}
