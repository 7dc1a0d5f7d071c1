//! Writes YAML: in block style, with two spaces per level, and long texts folded after 80 columns.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::document::is_allowed;
use super::json::Integer;
use super::style::{self, Findings, Place, Style, is_break, is_space};
use super::{json, order, scalar};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::value::{List, Value};

/// The column after which a text is folded.
const WIDTH: usize = 80;
/// Spaces per level.
const STEP: usize = 2;
/// A longer key is not written on the line of its value.
const MAX_SIMPLE_KEY: usize = 128;
/// go-yaml first reads the value's JSON, in which keys cannot be longer.
const MAX_JSON_KEY: usize = 1024;

/// Writes a document; `None` if the value cannot be written.
pub(super) fn document(value: &Value, budget: &mut Budget) -> Result<Option<Zeroizing<Vec<u8>>>, Exceeded> {
    let mut emitter = Emitter {
        output: Buffer::default(),
        column: 0,
        is_after_space: true,
        is_indention: true,
        indent: None,
        budget,
    };
    match emitter.node(value, Context::Other) {
        Ok(()) => {}
        Err(Stop::Unwritable) => return Ok(None),
        Err(Stop::Exceeded(exceeded)) => return Err(exceeded),
    }
    emitter.indent = None;
    emitter.new_line()?;
    Ok(Some(emitter.output.finish()))
}

/// Why writing ends early.
enum Stop {
    Exceeded(Exceeded),
    Unwritable,
}

impl From<Exceeded> for Stop {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// What contains a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Mapping,
    Other,
}

struct Emitter<'b> {
    output: Buffer,
    column: usize,
    is_after_space: bool,
    /// Whether the line only has indentation and list marks.
    is_indention: bool,
    /// The column of the level; `None` outside of all levels.
    indent: Option<usize>,
    budget: &'b mut Budget,
}

impl Emitter<'_> {
    fn node(&mut self, value: &Value, context: Context) -> Result<(), Stop> {
        self.budget.steps(1)?;
        self.budget.descend()?;
        let written = self.typed(value, context);
        self.budget.ascend();
        written
    }

    fn typed(&mut self, value: &Value, context: Context) -> Result<(), Stop> {
        match value {
            Value::Nil => self.word("null"),
            Value::Bool(value) => self.word(if *value { "true" } else { "false" }),
            Value::Int(_, number) => self.word(&number.to_string()),
            Value::Uint(_, number) => self.word(&number.to_string()),
            Value::Float(number) if number.is_finite() => self.word(&number_text(*number)),
            Value::Float(_) | Value::Complex(..) => Err(Stop::Unwritable),
            Value::String(text) => {
                let text = through_json(text).ok_or(Stop::Unwritable)?;
                self.text(&text, Place::Elsewhere)
            }
            Value::Bytes(bytes) => self.text(&Zeroizing::new(STANDARD.encode(&**bytes)), Place::Elsewhere),
            Value::Object(object) => self.node(&object.plain(), context),
            Value::List(list) if list.is_empty() => self.word("[]"),
            Value::List(list) => self.list(list, context),
            Value::Map(map) if map.is_empty() => self.word("{}"),
            Value::Map(map) => {
                let entries = map.snapshot().into_iter().map(|(key, value)| Some((json_key(&key)?, value)));
                let entries: Vec<(Zeroizing<String>, Value)> =
                    entries.collect::<Option<_>>().ok_or(Stop::Unwritable)?;
                // Each key is compared with roughly log2 of the number of others.
                let len: usize = entries.iter().map(|(key, _)| key.len()).sum();
                let rounds = usize::try_from(entries.len().max(2).ilog2()).unwrap_or(usize::MAX);
                self.budget.steps(len.saturating_mul(rounds) / 32)?;
                self.map(&order::sort(entries, &|entry| &entry.0))
            }
        }
    }

    fn list(&mut self, list: &List, context: Context) -> Result<(), Stop> {
        let outer = self.indent;
        // In a map, the marks of a list are written below the key.
        if context != Context::Mapping || self.is_indention {
            self.indent = Some(outer.map_or(0, |indent| indent + STEP));
        }
        for item in list.iter() {
            self.new_line()?;
            self.indicator("-", true)?;
            self.node(&item, Context::Other)?;
        }
        self.indent = outer;
        Ok(())
    }

    fn map(&mut self, entries: &[(Zeroizing<String>, Value)]) -> Result<(), Stop> {
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |indent| indent + STEP));
        for (key, value) in entries {
            self.new_line()?;
            if !style::analyze(key).has_breaks && key.len() <= MAX_SIMPLE_KEY {
                self.text(key, Place::SimpleKey)?;
                self.mark(":")?;
            } else {
                self.indicator("?", true)?;
                self.text(key, Place::Elsewhere)?;
                self.new_line()?;
                self.indicator(":", true)?;
            }
            self.node(value, Context::Mapping)?;
        }
        self.indent = outer;
        Ok(())
    }

    /// Writes a scalar that is never quoted.
    fn word(&mut self, word: &str) -> Result<(), Stop> {
        self.space()?;
        self.write(word)?;
        (self.is_after_space, self.is_indention) = (false, false);
        Ok(())
    }

    fn text(&mut self, text: &str, place: Place) -> Result<(), Stop> {
        self.budget.steps(text.len() / 16)?;
        let findings = style::analyze(text);
        let outer = self.indent;
        self.indent = Some(outer.map_or(STEP, |indent| indent + STEP));
        match style::of_text(text, findings, place) {
            Style::Plain => self.plain(text, place)?,
            Style::SingleQuoted => self.single_quoted(text, findings, place)?,
            Style::DoubleQuoted => self.double_quoted(text, place)?,
            Style::Literal => self.literal(text)?,
        }
        self.indent = outer;
        Ok(())
    }

    fn plain(&mut self, text: &str, place: Place) -> Result<(), Stop> {
        self.space()?;
        self.folded(text, place, Edges::MayFold)?;
        (self.is_after_space, self.is_indention) = (false, false);
        Ok(())
    }

    fn single_quoted(&mut self, text: &str, findings: Findings, place: Place) -> Result<(), Stop> {
        self.space()?;
        self.mark("'")?;
        let text = Zeroizing::new(text.replace('\'', "''"));
        if findings.has_breaks {
            self.broken(&text)?;
        } else {
            self.folded(&text, place, Edges::Stay)?;
        }
        self.mark("'")
    }

    /// Writes text without line breaks, folded at single spaces.
    fn folded(&mut self, text: &str, place: Place, edges: Edges) -> Result<(), Stop> {
        let mut after_space = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let is_before_space = characters.peek().is_some_and(|(_, next)| is_space(*next));
            let is_inside = edges == Edges::MayFold || (at > 0 && at + 1 < text.len());
            let may_fold = place == Place::Elsewhere && !after_space && !is_before_space && is_inside;
            if is_space(character) && may_fold && self.column > WIDTH {
                self.new_line()?;
            } else {
                self.put(character)?;
            }
            after_space = is_space(character);
            self.is_indention = false;
        }
        Ok(())
    }

    /// Writes single-quoted text with line breaks, none of which is a line feed or next to a space.
    fn broken(&mut self, text: &str) -> Result<(), Stop> {
        let mut after_break = false;
        for part in text.split_inclusive(is_break) {
            if after_break && !part.starts_with(is_break) {
                self.new_line()?;
            }
            let line = part.trim_end_matches(is_break);
            self.folded(line, Place::Elsewhere, Edges::Stay)?;
            for character in part.chars().filter(|character| is_break(*character)) {
                self.put(character)?;
                (self.column, self.is_indention, after_break) = (0, true, true);
            }
        }
        Ok(())
    }

    fn double_quoted(&mut self, text: &str, place: Place) -> Result<(), Stop> {
        self.space()?;
        self.mark("\"")?;
        // At each character, go-yaml looks for the mark at the beginning again.
        let must_escape = text.starts_with('\u{feff}');
        let mut after_space = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let is_inside = at > 0 && at + 1 < text.len();
            if must_escape || needs_escape(character) {
                self.write(&escape(character))?;
            } else if is_space(character)
                && place == Place::Elsewhere
                && !after_space
                && is_inside
                && self.column > WIDTH
            {
                self.new_line()?;
                if characters.peek().is_some_and(|(_, next)| is_space(*next)) {
                    self.put('\\')?;
                }
            } else {
                self.put(character)?;
            }
            after_space = is_space(character);
        }
        self.mark("\"")
    }

    fn literal(&mut self, text: &str) -> Result<(), Stop> {
        self.space()?;
        self.mark("|")?;
        if text.starts_with(|first| is_space(first) || is_break(first)) {
            self.mark("2")?;
        }
        let mut last = text.chars().rev();
        match (last.next().is_some_and(is_break), last.next()) {
            (false, _) => self.mark("-")?,
            (true, before) if before.is_none_or(is_break) => self.mark("+")?,
            (true, _) => {}
        }
        self.put('\n')?;
        (self.is_indention, self.is_after_space) = (true, true);
        let mut after_break = true;
        for character in text.chars() {
            if is_break(character) {
                self.put(character)?;
                (self.column, self.is_indention, after_break) = (0, true, true);
                continue;
            }
            if after_break {
                self.new_line()?;
            }
            self.put(character)?;
            (self.is_indention, after_break) = (false, false);
        }
        Ok(())
    }

    /// Writes a space, unless there is one.
    fn space(&mut self) -> Result<(), Stop> {
        if !self.is_after_space {
            self.put(' ')?;
        }
        Ok(())
    }

    /// Writes a mark after a space, before which there may be only indentation.
    fn indicator(&mut self, mark: &str, keeps_indention: bool) -> Result<(), Stop> {
        self.space()?;
        self.write(mark)?;
        self.is_after_space = false;
        self.is_indention &= keeps_indention;
        Ok(())
    }

    /// Writes a mark directly after what is there.
    fn mark(&mut self, mark: &str) -> Result<(), Stop> {
        self.write(mark)?;
        (self.is_after_space, self.is_indention) = (false, false);
        Ok(())
    }

    /// Moves to the column of the level, on a new line unless this one is still empty.
    fn new_line(&mut self) -> Result<(), Exceeded> {
        let indent = self.indent.unwrap_or(0);
        if !self.is_indention || self.column > indent || (self.column == indent && !self.is_after_space) {
            self.put('\n')?;
        }
        if self.column < indent {
            self.output.fill(b' ', indent - self.column, self.budget)?;
            self.column = indent;
        }
        (self.is_after_space, self.is_indention) = (true, true);
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Exceeded> {
        text.chars().try_for_each(|character| self.put(character))
    }

    fn put(&mut self, character: char) -> Result<(), Exceeded> {
        self.output.push(character.encode_utf8(&mut [0; 4]).as_bytes(), self.budget)?;
        self.column = if character == '\n' { 0 } else { self.column + 1 };
        Ok(())
    }
}

/// Whether a text may be folded at its first and last space.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edges {
    MayFold,
    Stay,
}

/// Whether a character must be escaped between double quotes.
const fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\') || is_break(character) || !style::is_printable(character)
}

/// The escape of a character between double quotes.
fn escape(character: char) -> Cow<'static, str> {
    let short = match character {
        '\0' => "\\0",
        '\x07' => "\\a",
        '\x08' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\x0b' => "\\v",
        '\x0c' => "\\f",
        '\r' => "\\r",
        '\x1b' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{a0}' => "\\_",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        _ => {
            return Cow::Owned(match u32::from(character) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            });
        }
    };
    Cow::Borrowed(short)
}

/// A float as go-yaml writes it after reading it from JSON, where a whole number has no point.
fn number_text(number: f64) -> String {
    match json::integer(number) {
        Some(Integer::Signed(integer)) => integer.to_string(),
        Some(Integer::Unsigned(integer)) => integer.to_string(),
        None => scalar::float_text(number),
    }
}

/// A key as go-yaml reads it from the value's JSON; `None` if it cannot, because the key is too long or has a line
/// break that JSON does not escape.
fn json_key(key: &[u8]) -> Option<Zeroizing<String>> {
    let escaped = |character: char| match character {
        '"' | '\\' | '\x08' | '\x0c' | '\n' | '\r' | '\t' => 2,
        '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
        _ => 1,
    };
    let len: usize = json::valid(key).chars().map(escaped).sum::<usize>() + 2;
    if len > MAX_JSON_KEY { None } else { through_json(key).filter(|_| !has_next_line(key)) }
}

fn has_next_line(text: &[u8]) -> bool {
    text.windows(2).any(|bytes| bytes == "\u{85}".as_bytes())
}

/// A text as go-yaml reads it from the value's JSON; `None` if it cannot, because a character is not escaped in JSON
/// and forbidden in YAML.
fn through_json(text: &[u8]) -> Option<Zeroizing<String>> {
    let text = json::valid(text);
    let is_escaped = |character: char| character < ' ';
    if !text.chars().all(|character| is_allowed(character) || is_escaped(character)) {
        return None;
    }
    if !text.contains('\u{85}') {
        return Some(text);
    }
    Some(Zeroizing::new(fold_next_lines(&text)))
}

/// Replaces a NEL by a space and several by line feeds, as between double quotes, and drops the spaces around them.
fn fold_next_lines(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| c != ' ' && c != '\u{85}').unwrap_or(rest.len());
        let (blank, after) = rest.split_at(end);
        match blank.matches('\u{85}').count() {
            0 => folded.push_str(blank),
            1 => folded.push(' '),
            breaks => folded.extend(std::iter::repeat_n('\n', breaks - 1)),
        }
        let next = after.find([' ', '\u{85}']).unwrap_or(after.len());
        let (word, after) = after.split_at(next);
        folded.push_str(word);
        rest = after;
    }
    folded
}
