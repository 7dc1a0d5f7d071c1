//! YAML whose scalars keep their literal text.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Tag, options};
use zeroize::Zeroizing;

/// The limit of nodes, with aliases expanded.
const MAX_NODES: usize = 100_000;
/// The limit of bytes, with aliases expanded.
const MAX_BYTES: usize = 64 << 20;
const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// What is wrong, and the line. Quotes only keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

/// A value. Its text is wiped when dropped.
#[derive(Clone)]
pub(super) enum Node {
    Scalar(Scalar),
    /// The items, and the line.
    List(Vec<Node>, usize),
    Map(Vec<(Scalar, Node)>),
}

impl Node {
    /// The line on which it begins; for a mapping, the line of its first key.
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.line,
            Self::List(_, line) => *line,
            Self::Map(entries) => entries.first().map_or(1, |(key, _)| key.line),
        }
    }
}

/// A single value.
#[derive(Clone)]
pub(super) struct Scalar {
    /// The literal text, without quotes, escapes and folding.
    pub(super) text: Zeroizing<String>,
    pub(super) form: Form,
    pub(super) line: usize,
}

impl Scalar {
    /// Whether YAML reads it as null.
    pub(super) fn is_null(&self) -> bool {
        self.form == Form::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The notation of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without quotes, so that it may be meant as a number.
    Plain,
    /// In quotes, as a block, or with the tag `!!str`.
    Text,
    /// Base64, with the tag `!!binary`.
    Binary,
}

/// Reads the single document of a text. Without a document, returns an empty string.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let options = options! {
        emit_comments: false,
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
    };
    let mut reader = Reader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let why = match error.kind() {
                // The character is part of a value.
                ErrorKind::UnexpectedCharacter { .. } => "unexpected character".to_owned(),
                _ => error.info(),
            };
            Problem::new(error.marker().line(), format!("this is not valid YAML: {why}"))
        })?;
        reader.take(event, span.start.line())?;
    }
    let nothing = || Node::Scalar(Scalar { text: Zeroizing::default(), form: Form::Plain, line: 1 });
    Ok(reader.root.unwrap_or_else(nothing))
}

/// What has been read, including the open collections.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    size: Size,
}

struct Open {
    anchor: usize,
    before: Size,
    container: Container,
}

enum Container {
    List(Vec<Node>, usize),
    /// The entries, the key whose value comes next, and the line of each key.
    Map(Vec<(Scalar, Node)>, Option<Scalar>, HashMap<String, usize>),
}

struct Anchored {
    node: Node,
    size: Size,
}

/// The size with aliases expanded.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let form = form(style, tag.as_deref(), line)?;
                let scalar = Scalar { text: Zeroizing::new(text.into_owned()), form, line };
                let size = Size { nodes: 1, bytes: scalar.text.len() };
                self.finish(Node::Scalar(scalar), anchor, size, line)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Container::List(Vec::new(), line), anchor, line),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Container::Map(Vec::new(), None, HashMap::new()), anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, before, container }) = self.open.pop() else { return Ok(()) };
                let node = match container {
                    Container::List(items, line) => Node::List(items, line),
                    Container::Map(entries, ..) => Node::Map(entries),
                };
                let size = Size { nodes: self.size.nodes - before.nodes, bytes: self.size.bytes - before.bytes };
                self.remember(anchor, &node, size);
                self.add(node, line)
            }
            Event::Alias(anchor) => {
                // An anchor is known only when its node is complete.
                let contained = || Problem::new(line, "the value of an anchor contains itself");
                self.grow(self.anchors.get(&anchor).ok_or_else(contained)?.size, line)?;
                let node = self.anchors.get(&anchor).ok_or_else(contained)?.node.clone();
                self.add(node, line)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, container: Container, anchor: usize, line: usize) -> Result<(), Problem> {
        self.open.push(Open { anchor, before: self.size, container });
        self.grow(Size { nodes: 1, bytes: 0 }, line)
    }

    fn finish(&mut self, node: Node, anchor: usize, size: Size, line: usize) -> Result<(), Problem> {
        self.grow(size, line)?;
        self.remember(anchor, &node, size);
        self.add(node, line)
    }

    fn grow(&mut self, size: Size, line: usize) -> Result<(), Problem> {
        self.size = Size { nodes: self.size.nodes + size.nodes, bytes: self.size.bytes + size.bytes };
        if self.size.nodes > MAX_NODES || self.size.bytes > MAX_BYTES {
            return Err(Problem::new(line, "the values are too many or too long, with their aliases; split the file"));
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node, size: Size) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
    }

    /// Adds a complete node to the innermost open collection.
    fn add(&mut self, node: Node, line: usize) -> Result<(), Problem> {
        match self.open.last_mut().map(|open| &mut open.container) {
            // Nothing follows the document marker.
            None if matches!(&node, Node::Scalar(scalar) if scalar.is_null() && scalar.text.is_empty()) => {}
            None if self.root.is_some() => {
                return Err(Problem::new(line, "there is a second document; put all values into one"));
            }
            None => self.root = Some(node),
            Some(Container::List(items, _)) => items.push(node),
            Some(Container::Map(entries, next, lines)) => {
                if let Some(key) = next.take() {
                    entries.push((key, node));
                } else {
                    *next = Some(key(node, line, lines)?);
                }
            }
        }
        Ok(())
    }
}

/// Checks that a key appears for the first time in a mapping whose keys are on these lines.
fn key(node: Node, line: usize, lines: &mut HashMap<String, usize>) -> Result<Scalar, Problem> {
    let Node::Scalar(key) = node else { return Err(Problem::new(line, "a key is not text")) };
    if &*key.text == "<<" && key.form == Form::Plain {
        return Err(Problem::new(line, "merge keys are not read; write the entries out"));
    }
    match lines.insert(key.text.to_string(), line) {
        None => Ok(key),
        Some(other) => {
            let text = format!("the key {:?} is given twice; the other is in line {other}", *key.text);
            Err(Problem { line, text })
        }
    }
}

fn form(style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Form, Problem> {
    let Some(tag) = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix())) else {
        return Ok(if style == ScalarStyle::Plain { Form::Plain } else { Form::Text });
    };
    match tag.strip_prefix(TAG_PREFIX) {
        Some("binary") => Ok(Form::Binary),
        Some("str") => Ok(Form::Text),
        Some("int" | "float" | "bool" | "null" | "timestamp") => Ok(Form::Plain),
        _ if tag == "!" => Ok(Form::Text),
        _ => Err(Problem::new(line, format!("the tag {tag} means nothing here; leave it out"))),
    }
}
