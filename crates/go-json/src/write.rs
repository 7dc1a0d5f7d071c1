//! Writes JSON.

use std::convert::Infallible;
use std::fmt;

use zeroize::Zeroizing;

use crate::text::decode;

/// Which characters of strings are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Also `<`, `>` and `&`, as Go does unless told otherwise.
    Html,
    /// Those alone that must be, and U+2028 and U+2029, which JavaScript takes for the end of a line.
    Needed,
}

/// How a document is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// What stands at the beginning of a line for each level; with none, all is one line.
    pub indent: &'static [u8],
    /// Which characters of strings are escaped.
    pub escape: Escape,
}

/// Where a document is written.
pub trait Sink {
    /// Why it takes no more.
    type Error;

    /// Takes a part of the document.
    ///
    /// # Errors
    /// It takes no more.
    fn push(&mut self, text: &[u8]) -> Result<(), Self::Error>;
}

/// Does not wipe what it leaves behind as it grows; [`in_memory`] does not grow.
impl Sink for Vec<u8> {
    type Error = Infallible;

    fn push(&mut self, text: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(text);
        Ok(())
    }
}

/// A document that is measured or written.
#[derive(Debug)]
pub struct Memory(Pass);

enum Pass {
    Measure(usize),
    Write(Zeroizing<Vec<u8>>),
}

/// Not the text, which may be a secret.
impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Measure(_)) { "Measure" } else { "Write" })
    }
}

impl Sink for Memory {
    type Error = Infallible;

    fn push(&mut self, text: &[u8]) -> Result<(), Infallible> {
        match &mut self.0 {
            Pass::Measure(len) => *len += text.len(),
            Pass::Write(written) => written.extend_from_slice(text),
        }
        Ok(())
    }
}

/// What `write` writes. It is called twice, to measure first, so that memory is allocated once and no copy is left behind.
pub fn in_memory(style: Style, write: impl Fn(&mut Writer<Memory>) -> Result<(), Infallible>) -> Zeroizing<Vec<u8>> {
    let pass = |pass| {
        let mut writer = Writer::new(Memory(pass), style);
        let Ok(()) = write(&mut writer);
        writer.into_sink().0
    };
    let len = match pass(Pass::Measure(0)) {
        Pass::Measure(len) => len,
        Pass::Write(_) => 0,
    };
    match pass(Pass::Write(Zeroizing::new(Vec::with_capacity(len)))) {
        Pass::Write(written) => written,
        Pass::Measure(_) => Zeroizing::default(),
    }
}

impl<S: Sink> Sink for &mut S {
    type Error = S::Error;

    fn push(&mut self, text: &[u8]) -> Result<(), S::Error> {
        (**self).push(text)
    }
}

/// Writes a document part by part. The caller opens and closes containers, and says where their items begin.
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    style: Style,
    level: usize,
    /// The innermost container has no item yet.
    is_empty: bool,
}

impl<S: Sink> Writer<S> {
    /// Writes to `sink`.
    pub fn new(sink: S, style: Style) -> Self {
        Self { sink, style, level: 0, is_empty: true }
    }

    /// Where it writes.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Where it wrote.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Begins a container: `[` or `{`.
    ///
    /// # Errors
    /// The sink's.
    pub fn open(&mut self, bracket: u8) -> Result<(), S::Error> {
        self.level += 1;
        self.is_empty = true;
        self.sink.push(&[bracket])
    }

    /// Begins an item of a list, or an entry of an object.
    ///
    /// # Errors
    /// The sink's.
    pub fn item(&mut self) -> Result<(), S::Error> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.sink.push(b",")?;
        }
        self.line()
    }

    /// The name of an entry, which begins with it.
    ///
    /// # Errors
    /// The sink's.
    pub fn name(&mut self, name: &[u8]) -> Result<(), S::Error> {
        self.item()?;
        self.string(name)?;
        self.sink.push(if self.style.indent.is_empty() { b":" } else { b": " })
    }

    /// Ends a container: `]` or `}`.
    ///
    /// # Errors
    /// The sink's.
    pub fn close(&mut self, bracket: u8) -> Result<(), S::Error> {
        self.level = self.level.saturating_sub(1);
        // The container is an item of the one around it.
        if !std::mem::replace(&mut self.is_empty, false) {
            self.line()?;
        }
        self.sink.push(&[bracket])
    }

    /// `null`, `true`, or a number with other rules than floats.
    ///
    /// # Errors
    /// The sink's.
    pub fn literal(&mut self, text: &str) -> Result<(), S::Error> {
        self.sink.push(text.as_bytes())
    }

    /// A finite number; see [`number`].
    ///
    /// # Errors
    /// The sink's.
    pub fn number(&mut self, value: f64) -> Result<(), S::Error> {
        self.sink.push(number(value).as_bytes())
    }

    /// A string. What is not UTF-8 in it is written as `\ufffd`.
    ///
    /// # Errors
    /// The sink's.
    pub fn string(&mut self, text: &[u8]) -> Result<(), S::Error> {
        self.sink.push(b"\"")?;
        fragment(&mut self.sink, text, self.style.escape)?;
        self.sink.push(b"\"")
    }

    /// A new line, where lines are indented.
    fn line(&mut self) -> Result<(), S::Error> {
        if self.style.indent.is_empty() {
            return Ok(());
        }
        self.sink.push(b"\n")?;
        (0..self.level).try_for_each(|_| self.sink.push(self.style.indent))
    }
}

/// A finite number as JavaScript writes it: very large and very small ones have an exponent, with its sign.
#[must_use]
pub fn number(value: f64) -> Zeroizing<String> {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Zeroizing::new(value.to_string());
    }
    let text = Zeroizing::new(format!("{value:e}"));
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => Zeroizing::new(format!("{digits}e+{exponent}")),
        _ => text,
    }
}

/// The inside of a string.
pub(crate) fn fragment<S: Sink>(sink: &mut S, text: &[u8], escape: Escape) -> Result<(), S::Error> {
    let mut rest = text;
    // How much of it stands for itself.
    let mut plain = 0;
    while let Some(here) = rest.get(plain..).filter(|here| !here.is_empty()) {
        let (character, len) = decode(here);
        let is_invalid = character == char::REPLACEMENT_CHARACTER && len == 1;
        let Some(escaped) = escaped(character, escape).or(is_invalid.then(|| by_number(character))) else {
            plain += len;
            continue;
        };
        sink.push(rest.get(..plain).unwrap_or_default())?;
        // A short one ends with zeros.
        sink.push(escaped.split(|byte| *byte == 0).next().unwrap_or_default())?;
        rest = here.get(len..).unwrap_or_default();
        plain = 0;
    }
    sink.push(rest)
}

/// What stands for a character that is escaped.
fn escaped(character: char, escape: Escape) -> Option<[u8; 6]> {
    let letter = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '<' | '>' | '&' if escape == Escape::Html => return Some(by_number(character)),
        '\0'..' ' | '\u{2028}' | '\u{2029}' => return Some(by_number(character)),
        _ => return None,
    };
    Some([b'\\', letter, 0, 0, 0, 0])
}

/// `\uXXXX` for a character of the basic plane.
fn by_number(character: char) -> [u8; 6] {
    let digit = |shift: u32| {
        char::from_digit(u32::from(character) >> shift & 0xf, 16)
            .map_or(b'0', |digit| u8::try_from(digit).unwrap_or(b'0'))
    };
    [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]
}
