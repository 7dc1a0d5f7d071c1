//! Parses text into a tree, as go-yaml does: with aliases expanded and maps merged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag, options};
use zeroize::Zeroizing;

use super::scalar::{self, Plain, Timestamps};
use super::{Error, Room};
use crate::budget::{Allowance, Exceeded};
use crate::value::{TEXT_OVERHEAD, Text, Value, list_size, map_size};

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// A document.
pub(super) struct Document {
    /// The line where its content begins.
    pub(super) line: usize,
    pub(super) root: Node,
}

/// A value. What an alias refers to is shared.
#[derive(Clone)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Text),
    List(Rc<Vec<Node>>),
    Map(Rc<Entries>),
}

pub(super) type Entries = BTreeMap<Text, Node>;

/// What to do with a key that a mapping has already.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum RepeatedKeys {
    /// Its value replaces the previous one, as in go-yaml.
    #[default]
    LastCounts,
    /// It is an error.
    Refused,
}

/// Why a text cannot be parsed, and the line where that was noticed.
pub(super) struct Failed {
    pub(super) line: usize,
    pub(super) error: Error,
}

/// Parses the first document and ignores the rest. Without a document, the result is `null`.
///
/// # Errors
/// If it is not YAML, or exceeds `room`, to which it is charged.
pub(super) fn read(text: &[u8], room: &mut Room) -> Result<Node, Error> {
    let documents = read_documents(text, 1, RepeatedKeys::LastCounts, room).map_err(|failed| failed.error)?;
    Ok(documents.into_iter().next().map_or(Node::Null, |document| document.root))
}

/// Parses at most this many documents in the same way.
pub(super) fn read_documents(
    text: &[u8],
    most: usize,
    keys: RepeatedKeys,
    room: &mut Room,
) -> Result<Vec<Document>, Failed> {
    let text = characters(text).map_err(|error| Failed { line: 1, error })?;
    // In YAML 1.1 this ends a line and is read as a line feed.
    let replaced = Zeroizing::new(if text.contains('\u{85}') { text.replace('\u{85}', "\n") } else { String::new() });
    let text = if replaced.is_empty() { text } else { &replaced };
    let options = options! {
        emit_comments: false,
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
    };
    let mut documents = Vec::new();
    let mut reader = Reader::new(keys, *room);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Failed { line: error.marker().line(), error: syntax(&error) })?;
        let line = span.start.line();
        if matches!(event, Event::DocumentEnd) {
            *room = reader.room_left();
            let Reader { line, root, .. } = std::mem::replace(&mut reader, Reader::new(keys, *room));
            documents.push(Document { line: line.unwrap_or(1), root: root.unwrap_or(Node::Null) });
            if documents.len() == most {
                break;
            }
        } else {
            reader.take(event, line).map_err(|error| Failed { line, error })?;
        }
    }
    Ok(documents)
}

/// The text, if all of its characters are allowed in YAML.
fn characters(text: &[u8]) -> Result<&str, Error> {
    let text = str::from_utf8(text).map_err(|_| failed("invalid UTF-8"))?;
    if text.chars().all(is_allowed) { Ok(text) } else { Err(failed("control characters are not allowed")) }
}

/// Whether a character may appear unescaped in a document.
pub(super) const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

fn failed(message: impl Into<String>) -> Error {
    Error::Syntax(message.into())
}

fn syntax(error: &ScanError) -> Error {
    let line = error.marker().line();
    match error.kind() {
        // The character is part of a value.
        ErrorKind::UnexpectedCharacter { .. } => failed(format!("line {line}: unexpected character")),
        _ => failed(format!("line {line}: {}", error.info())),
    }
}

/// What a scalar takes as an element or entry, including its text.
const fn scalar_size(len: usize) -> usize {
    size_of::<Value>() + TEXT_OVERHEAD + len
}

/// The open collections, and what has been parsed.
struct Reader {
    keys: RepeatedKeys,
    /// Where the content begins.
    line: Option<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    /// The number of nodes, with aliases expanded.
    nodes: usize,
    /// What they take, with aliases expanded, because whatever uses them copies the text of each.
    bytes: usize,
    /// The number of nodes that come from aliases.
    aliased: usize,
    room: Room,
}

struct Open {
    anchor: usize,
    /// The number of nodes before it.
    nodes_before: usize,
    bytes_before: usize,
    container: Container,
    /// The keys in the mapping itself, if repeated keys are an error.
    keys: Option<BTreeSet<Text>>,
}

enum Container {
    List(Vec<Node>),
    /// The entries, and the key whose value comes next.
    Map(Entries, Option<Key>),
}

enum Key {
    Entry(Text),
    Merge,
}

/// What an alias refers to.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
}

/// Where a node comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Content,
    MergeKey,
    Alias,
}

impl Reader {
    fn new(keys: RepeatedKeys, room: Room) -> Self {
        Self {
            keys,
            line: None,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            nodes: 0,
            bytes: 0,
            aliased: 0,
            room,
        }
    }

    /// What is left of the room.
    const fn room_left(&self) -> Room {
        Room { nodes: self.room.nodes - self.nodes, bytes: self.room.bytes - self.bytes }
    }

    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Error> {
        match event {
            Event::Alias(anchor) => self.alias(anchor)?,
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref())?,
            Event::SequenceStart(_, anchor, _) => self.open(anchor, Container::List(Vec::new()))?,
            Event::MappingStart(_, anchor, _) => self.open(anchor, Container::Map(Entries::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            _ => return Ok(()),
        }
        self.line.get_or_insert(line);
        Ok(())
    }

    fn open(&mut self, anchor: usize, container: Container) -> Result<(), Error> {
        let size = match container {
            Container::List(_) => list_size(1),
            Container::Map(..) => map_size(1),
        };
        let keys = (self.keys == RepeatedKeys::Refused).then(BTreeSet::new);
        self.open.push(Open { anchor, nodes_before: self.nodes, bytes_before: self.bytes, container, keys });
        self.count(1, size)
    }

    /// Counts nodes, if there is room for them.
    fn count(&mut self, nodes: usize, bytes: usize) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > self.room.nodes {
            return Err(Exceeded::Nodes(Allowance::DOCUMENT_NODES).into());
        }
        if self.bytes > self.room.bytes {
            return Err(Exceeded::Document(Allowance::DOCUMENT_BYTES).into());
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(Open { anchor, nodes_before, bytes_before, container, .. }) = self.open.pop() else { return Ok(()) };
        let node = match container {
            Container::List(items) => Node::List(Rc::new(items)),
            Container::Map(entries, _) => Node::Map(Rc::new(entries)),
        };
        self.remember(anchor, &node, (self.nodes - nodes_before, self.bytes - bytes_before));
        self.add(node, Origin::Content)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>) -> Result<(), Error> {
        self.count(1, scalar_size(text.len()))?;
        let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        let is_plain = style == ScalarStyle::Plain && tag.is_none();
        let is_merge = text == "<<" && (is_plain || tag.as_deref() == Some("tag:yaml.org,2002:merge"));
        let node = if is_plain { plain(text) } else { tagged(text, tag.as_deref())? };
        self.remember(anchor, &node, (1, scalar_size(text.len())));
        self.add(node, if is_merge { Origin::MergeKey } else { Origin::Content })
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Error> {
        // An incomplete node is not known yet.
        let Some(Anchored { node, nodes, bytes }) = self.anchors.get(&anchor) else {
            return Err(failed("the value of an anchor contains itself"));
        };
        let (node, nodes, bytes) = (node.clone(), *nodes, *bytes);
        self.aliased = self.aliased.saturating_add(nodes);
        if has_too_many_aliases(self.nodes.saturating_add(nodes + 1), self.aliased) {
            return Err(failed("document contains excessive aliasing"));
        }
        self.count(nodes + 1, bytes)?;
        self.add(node, Origin::Alias)
    }

    fn remember(&mut self, anchor: usize, node: &Node, (nodes, bytes): (usize, usize)) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes });
        }
    }

    /// Adds a complete node to the innermost open collection.
    fn add(&mut self, node: Node, origin: Origin) -> Result<(), Error> {
        let Some(Open { container, keys, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match container {
            Container::List(items) => items.push(node),
            Container::Map(entries, next) => match next.take() {
                None if origin == Origin::MergeKey => *next = Some(Key::Merge),
                None => {
                    let key = key(&node)?;
                    if keys.as_mut().is_some_and(|keys| !keys.insert(key.clone())) {
                        return Err(Error::Repeated(String::from_utf8_lossy(&key).into_owned()));
                    }
                    *next = Some(Key::Entry(key));
                }
                Some(Key::Entry(key)) => drop(entries.insert(key, node)),
                Some(Key::Merge) => merge(entries, &node, origin)?,
            },
        }
        Ok(())
    }
}

/// Adds the entries of a map, or of a list of maps in which the first takes precedence. As in go-yaml, they replace
/// previous entries.
fn merge(entries: &mut Entries, node: &Node, origin: Origin) -> Result<(), Error> {
    let wrong = || failed("map merge requires map or sequence of maps as the value");
    match node {
        Node::Map(from) => entries.extend(from.iter().map(|(key, value)| (key.clone(), value.clone()))),
        Node::List(maps) if origin == Origin::Content => {
            for map in maps.iter().rev() {
                let Node::Map(_) = map else { return Err(wrong()) };
                merge(entries, map, origin)?;
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Whether go-yaml rejects this many nodes from aliases. The more nodes there are, the smaller their share may be.
#[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
fn has_too_many_aliases(nodes: usize, aliased: usize) -> bool {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let progress = ((nodes as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    let allowed = 0.99 - 0.89 * progress;
    aliased > 100 && nodes > 1000 && aliased as f64 / nodes as f64 > allowed
}

fn plain(text: &str) -> Node {
    scalar::resolve(text).map_or_else(|| Node::Text(text.into()), |plain| resolved(plain, text))
}

/// The node for a text with this meaning.
fn resolved(plain: Plain, text: &str) -> Node {
    match plain {
        Plain::Null => Node::Null,
        Plain::Bool(value) => Node::Bool(value),
        Plain::Int(number) => Node::Int(number),
        Plain::Uint(number) => Node::Uint(number),
        Plain::Float(number) => Node::Float(number),
        Plain::Timestamp => Node::Text(text.into()),
    }
}

/// The meaning of a scalar with quotes or a tag. With a tag that go-yaml does not know, it stays text.
fn tagged(text: &str, tag: Option<&str>) -> Result<Node, Error> {
    let kind = tag.and_then(|tag| tag.strip_prefix(TAG_PREFIX)).unwrap_or_default();
    let timestamps = if kind == "timestamp" { Timestamps::Known } else { Timestamps::Unknown };
    let plain = match kind {
        "binary" => return binary(text),
        "bool" | "int" | "float" | "null" | "timestamp" => scalar::resolve_as(text, timestamps),
        _ => return Ok(Node::Text(text.into())),
    };
    #[allow(clippy::cast_precision_loss, reason = "Go converts as well")]
    match plain {
        Some(plain) if plain.tag().get(2..) == Some(kind) => Ok(resolved(plain, text)),
        Some(Plain::Int(number)) if kind == "float" => Ok(Node::Float(number as f64)),
        plain => {
            let found = plain.map_or("!!str", Plain::tag);
            Err(failed(format!("cannot decode {found} as a !!{kind}")))
        }
    }
}

/// Bytes. In JSON, each one that is not UTF-8 becomes U+FFFD.
fn binary(text: &str) -> Result<Node, Error> {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let bytes = STANDARD.decode(text).map_err(|_| failed("!!binary value contains invalid base64 data"))?;
    Ok(Node::Text(super::json::valid(&bytes).as_str().into()))
}

/// A key as a string.
fn key(node: &Node) -> Result<Text, Error> {
    Ok(match node {
        Node::Text(text) => text.clone(),
        Node::Bool(value) => Text::from(if *value { "true" } else { "false" }),
        Node::Int(number) => Text::from(number.to_string().as_str()),
        Node::Float(number) if number.is_nan() => Text::from(".nan"),
        Node::Float(number) => match scalar::float32_text(*number).as_str() {
            "+Inf" => Text::from(".inf"),
            "-Inf" => Text::from("-.inf"),
            text => Text::from(text),
        },
        Node::Null => return Err(Error::Key("nil")),
        Node::Uint(_) => return Err(Error::Key("uint64")),
        Node::List(_) | Node::Map(_) => return Err(failed("invalid map key")),
    })
}
