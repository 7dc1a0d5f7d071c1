//! `@ugly` and `@pretty`: remove and add white space.

use std::cmp::Ordering;
use std::ops::Range;

use super::super::budget::{Budget, TooComplex};
use super::super::bytes::{Bytes, Output};
use super::super::value::Value;
use super::super::{number, scan, strings, valid};

/// `@ugly`: `document` without white space outside of strings.
pub(super) fn ugly<'d>(document: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let mut output = Output::default();
    let mut i = 0;
    while let Some(&byte) = document.get(i) {
        let end = if byte == b'"' { string_end(document, i) } else { i + 1 };
        if byte > b' ' {
            budget.write(&mut output, document.get(i..end).unwrap_or_default())?;
        }
        i = end;
    }
    Ok(output.finish())
}

/// `@pretty`: `document` with one line per member, and short arrays of scalars on one line.
pub(super) fn pretty<'d>(document: &[u8], argument: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let options = Options::parse(argument);
    let mut output = Output::default();
    budget.write(&mut output, &options.prefix)?;
    let mut printer = Printer { json: document, options, output, line_start: 0, budget };
    printer.value(0, Layout::Lines { level: 0 })?;
    let Printer { mut output, budget, .. } = printer;
    if !output.is_empty() {
        budget.write(&mut output, b"\n")?;
    }
    Ok(output.finish())
}

/// The end of the string that opens at `start`, or of the document.
fn string_end(json: &[u8], start: usize) -> usize {
    scan::string_end(json, start + 1).unwrap_or(json.len())
}

struct Options {
    /// The prefix of every line.
    prefix: Vec<u8>,
    /// The indentation per level.
    indent: Vec<u8>,
    /// The widest line for an array that is kept on one line.
    width: i64,
    sort_keys: bool,
}

impl Options {
    fn parse(argument: &[u8]) -> Self {
        let mut options = Self { prefix: Vec::new(), indent: b"  ".to_vec(), width: 80, sort_keys: false };
        for item in Value::parse(argument).iter().flat_map(Value::items) {
            let value = item.value;
            match &*strings::content(item.key) {
                b"sortKeys" => options.sort_keys = value.as_boolean() == Some(true),
                b"indent" => options.indent = blanks_of(&value.text()),
                b"prefix" => options.prefix = blanks_of(&value.text()),
                b"width" => options.width = value.as_integer(),
                _ => {}
            }
        }
        options
    }
}

fn blanks_of(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).collect()
}

/// The layout of a value.
#[derive(Clone, Copy)]
enum Layout {
    /// One line per member or element.
    Lines { level: usize },
    /// Everything on one line, where an object does not fit.
    OneLine,
}

/// An object or array.
#[derive(Clone, Copy, PartialEq)]
enum Container {
    Object,
    Array,
}

/// A printed member of an object, for sorting.
struct Member {
    /// The key in the document, with its quotes.
    key: Range<usize>,
    /// The whole member in the output.
    whole: Range<usize>,
    /// Where its value begins in the output.
    value: usize,
}

struct Printer<'d, 'b> {
    json: &'d [u8],
    options: Options,
    output: Output,
    /// Where the current line begins in the output: at its line feed.
    line_start: usize,
    budget: &'b mut Budget,
}

/// Where a value ended, and whether it fit the requested layout.
struct Printed {
    next: usize,
    fits: bool,
}

impl Printer<'_, '_> {
    /// Prints the next value from `i`, if there is one.
    fn value(&mut self, i: usize, layout: Layout) -> Result<Printed, TooComplex> {
        let begins_value = |byte: &u8| {
            matches!(byte, b'"' | b'0'..=b'9' | b'-' | b'+' | b'i' | b'I' | b'N' | b'{' | b'[' | b't' | b'f' | b'n')
        };
        let rest = self.json.get(i..).unwrap_or_default();
        let Some(offset) = rest.iter().position(begins_value) else {
            return Ok(Printed { next: i.max(self.json.len()), fits: true });
        };
        let start = i + offset;
        let rest = rest.get(offset..).unwrap_or_default();
        let next = match rest {
            [b'{', ..] => return self.container(start, Container::Object, layout),
            [b'[', ..] => return self.array(start, layout),
            [b'"', ..] => self.copy(start, string_end(self.json, start))?,
            [b't', ..] => self.word(b"true", start)?,
            [b'f', ..] => self.word(b"false", start)?,
            [b'n'] | [b'n', b'u', ..] => self.word(b"null", start)?,
            _ => {
                let ends = |&byte: &u8| byte <= b' ' || matches!(byte, b',' | b':' | b']' | b'}');
                let len = rest.iter().skip(1).position(ends).map_or(rest.len(), |len| len + 1);
                self.copy(start, start + len)?
            }
        };
        Ok(Printed { next, fits: true })
    }

    /// Copies a part of the document.
    fn copy(&mut self, start: usize, end: usize) -> Result<usize, TooComplex> {
        self.write(self.json.get(start..end).unwrap_or_default())?;
        Ok(end)
    }

    fn word(&mut self, word: &[u8], start: usize) -> Result<usize, TooComplex> {
        self.write(word)?;
        Ok(start + word.len())
    }

    /// Prints an array, on one line if it fits.
    fn array(&mut self, start: usize, layout: Layout) -> Result<Printed, TooComplex> {
        if let Layout::Lines { .. } = layout
            && self.options.width > 0
        {
            let before = self.output.len();
            let columns = self.options.width.saturating_sub_unsigned((before - self.line_start) as u64);
            if columns > 3 {
                let printed = self.container(start, Container::Array, Layout::OneLine)?;
                self.budget.read(printed.next.saturating_sub(start))?;
                let len = self.output.len() - before;
                if printed.fits && i64::try_from(len).is_ok_and(|len| len <= columns) {
                    return Ok(printed);
                }
                self.output.truncate(before);
            }
        }
        self.container(start, Container::Array, layout)
    }

    fn container(&mut self, start: usize, kind: Container, layout: Layout) -> Result<Printed, TooComplex> {
        if kind == Container::Object && matches!(layout, Layout::OneLine) {
            return Ok(Printed { next: start, fits: false });
        }
        self.budget.descend()?;
        let printed = self.members(start, kind, layout)?;
        self.budget.ascend();
        Ok(printed)
    }

    fn members(&mut self, start: usize, kind: Container, layout: Layout) -> Result<Printed, TooComplex> {
        let (open, close) = if kind == Container::Object { (b'{', b'}') } else { (b'[', b']') };
        let fits = kind == Container::Array;
        self.write(&[open])?;
        let mut members = Vec::new();
        let mut is_first = true;
        let mut i = start + 1;
        while let Some(&byte) = self.json.get(i) {
            if byte == close {
                if let Layout::Lines { level } = layout {
                    self.sort(&members);
                    self.end_lines(level, is_first)?;
                }
                self.write(&[close])?;
                return Ok(Printed { next: i + 1, fits });
            }
            if byte <= b' ' || kind == Container::Object && byte != b'"' {
                i += 1;
                continue;
            }
            if !is_first {
                self.separate(kind)?;
            }
            is_first = false;
            let printed = match kind {
                Container::Object => self.member(i, layout, &mut members)?,
                Container::Array => {
                    self.begin_line(layout)?;
                    self.value(i, layout.inner())?
                }
            };
            if matches!(layout, Layout::OneLine) && !printed.fits {
                return Ok(printed);
            }
            i = printed.next;
        }
        Ok(Printed { next: i, fits })
    }

    /// Prints a member of an object; its key begins at `start`.
    fn member(&mut self, start: usize, layout: Layout, members: &mut Vec<Member>) -> Result<Printed, TooComplex> {
        let whole = self.begin_line(layout)?;
        let key_end = self.copy(start, string_end(self.json, start))?;
        self.write(b": ")?;
        let value = self.output.len();
        let printed = self.value(key_end, layout.inner())?;
        members.push(Member { key: start..key_end, whole: whole..self.output.len(), value });
        Ok(printed)
    }

    /// Begins a line for a member. Returns the position after its line feed.
    fn begin_line(&mut self, layout: Layout) -> Result<usize, TooComplex> {
        let Layout::Lines { level } = layout else { return Ok(self.output.len()) };
        self.line_feed()?;
        let start = self.output.len();
        self.indent(level + 1)?;
        Ok(start)
    }

    /// Begins the line of a closing bracket, if there were members, and indents it.
    fn end_lines(&mut self, level: usize, is_empty: bool) -> Result<(), TooComplex> {
        if is_empty {
            return Ok(());
        }
        self.line_feed()?;
        self.indent(level)
    }

    fn line_feed(&mut self) -> Result<(), TooComplex> {
        self.line_start = self.output.len();
        match self.output.last_mut() {
            // The space after a comma.
            Some(last @ b' ') => *last = b'\n',
            _ => self.write(b"\n")?,
        }
        Ok(())
    }

    fn indent(&mut self, level: usize) -> Result<(), TooComplex> {
        self.budget.write(&mut self.output, &self.options.prefix)?;
        for _ in 0..level {
            self.budget.write(&mut self.output, &self.options.indent)?;
        }
        Ok(())
    }

    fn separate(&mut self, kind: Container) -> Result<(), TooComplex> {
        let blank = kind == Container::Array && self.options.width != -1;
        self.write(if blank { b", " } else { b"," })
    }

    fn write(&mut self, text: &[u8]) -> Result<(), TooComplex> {
        self.budget.write(&mut self.output, text)
    }

    /// Sorts the last printed `members` of an object, if requested.
    fn sort(&mut self, members: &[Member]) {
        let (Some(first), true) = (members.first(), self.options.sort_keys) else { return };
        let mut sorted: Vec<&Member> = members.iter().collect();
        sorted.sort_by(|a, b| {
            let key = |member: &Member| SortKey::of(self.json.get(member.key.clone()));
            let value = |member: &Member| SortKey::of(self.output.get(member.value..member.whole.end));
            key(a).cmp(&key(b)).then_with(|| value(a).cmp(&value(b)))
        });
        let mut text = Output::default();
        for (i, member) in sorted.iter().enumerate() {
            if i > 0 {
                text.push(b",\n");
            }
            text.push(self.output.get(member.whole.clone()).unwrap_or_default());
        }
        self.output.truncate(first.whole.start);
        self.output.push(&text);
    }
}

impl Layout {
    /// The layout of its content.
    const fn inner(self) -> Self {
        match self {
            Self::Lines { level } => Self::Lines { level: level + 1 },
            Self::OneLine => Self::OneLine,
        }
    }
}

/// The order of keys and values: null < false < numbers < strings < true < containers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey<'a> {
    Null(&'a [u8]),
    False(&'a [u8]),
    Number(TotalOrder),
    String(Vec<u8>),
    True(&'a [u8]),
    Json(&'a [u8]),
}

impl<'a> SortKey<'a> {
    fn of(text: Option<&'a [u8]>) -> Self {
        let text = scan::trim(text.unwrap_or_default());
        match text.first() {
            None | Some(b'n') => Self::Null(text),
            Some(b'f') => Self::False(text),
            // As in Go, a string with an invalid escape counts as empty.
            Some(b'"') if text.contains(&b'\\') && !valid::is_valid(text) => Self::String(Vec::new()),
            Some(b'"') => Self::String(strings::content(text).to_vec()),
            Some(b't') => Self::True(text),
            Some(b'[' | b'{') => Self::Json(text),
            Some(_) => Self::Number(TotalOrder(number::parse(text))),
        }
    }
}

/// A number with a total order that includes NaN, which has no order in Go.
struct TotalOrder(f64);

impl Ord for TotalOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or_else(|| self.0.is_nan().cmp(&other.0.is_nan()).reverse())
    }
}

impl PartialOrd for TotalOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TotalOrder {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TotalOrder {}
