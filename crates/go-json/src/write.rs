//! Writes JSON.

use std::convert::Infallible;
use std::fmt;

use zeroize::Zeroizing;

use crate::text::decode;

/// Which characters of strings are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Also `<`, `>` and `&`, which is Go's default.
    Html,
    /// Only what must be escaped, and U+2028 and U+2029, which are line ends in JavaScript.
    Needed,
}

/// The layout of a document.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The indentation per level; if empty, everything is on one line.
    pub indent: &'static [u8],
    /// Which characters of strings are escaped.
    pub escape: Escape,
}

/// Receives a document.
pub trait Sink {
    /// Why it accepts no more.
    type Error;

    /// Accepts a part of the document.
    ///
    /// # Errors
    /// If it accepts no more.
    fn push(&mut self, text: &[u8]) -> Result<(), Self::Error>;
}

/// Leaves copies behind when it grows, which are not wiped. [`in_memory`] avoids that.
impl Sink for Vec<u8> {
    type Error = Infallible;

    fn push(&mut self, text: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(text);
        Ok(())
    }
}

/// A document that is being measured or written.
#[derive(Debug)]
pub struct Memory(Pass);

enum Pass {
    Measure(usize),
    Write(Zeroizing<Vec<u8>>),
}

/// Does not print the text, which may be a secret.
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

/// The output of `write`, which is called twice: the first time to measure, so that the memory is allocated once and no
/// copy is left behind.
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

/// Writes a document part by part. The caller opens and closes containers, and announces their items.
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    style: Style,
    level: usize,
    /// Whether the innermost container has no item yet.
    is_empty: bool,
}

impl<S: Sink> Writer<S> {
    /// A writer to `sink`.
    pub fn new(sink: S, style: Style) -> Self {
        Self { sink, style, level: 0, is_empty: true }
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Returns the sink.
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

    /// Writes the name at the beginning of an entry.
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
        // The container is itself an item of the enclosing one.
        if !std::mem::replace(&mut self.is_empty, false) {
            self.line()?;
        }
        self.sink.push(&[bracket])
    }

    /// Writes `null`, `true`, or a number that is not a float.
    ///
    /// # Errors
    /// The sink's.
    pub fn literal(&mut self, text: &str) -> Result<(), S::Error> {
        self.sink.push(text.as_bytes())
    }

    /// Writes a finite number; see [`number`].
    ///
    /// # Errors
    /// The sink's.
    pub fn number(&mut self, value: f64) -> Result<(), S::Error> {
        self.sink.push(number(value).as_bytes())
    }

    /// Writes a string. Bytes that are not UTF-8 become `\ufffd`.
    ///
    /// # Errors
    /// The sink's.
    pub fn string(&mut self, text: &[u8]) -> Result<(), S::Error> {
        self.sink.push(b"\"")?;
        fragment(&mut self.sink, text, self.style.escape)?;
        self.sink.push(b"\"")
    }

    /// Begins a new line, if lines are indented.
    fn line(&mut self) -> Result<(), S::Error> {
        if self.style.indent.is_empty() {
            return Ok(());
        }
        self.sink.push(b"\n")?;
        (0..self.level).try_for_each(|_| self.sink.push(self.style.indent))
    }
}

/// A finite number in JavaScript's form: very large and very small ones have an exponent with a sign.
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

/// Writes the content of a string.
pub(crate) fn fragment<S: Sink>(sink: &mut S, text: &[u8], escape: Escape) -> Result<(), S::Error> {
    let mut rest = text;
    // How many of its bytes need no escape.
    let mut plain = 0;
    while let Some(here) = rest.get(plain..).filter(|here| !here.is_empty()) {
        let (character, len) = decode(here);
        let is_invalid = character == char::REPLACEMENT_CHARACTER && len == 1;
        let Some(escaped) = escaped(character, escape).or(is_invalid.then(|| by_number(character))) else {
            plain += len;
            continue;
        };
        sink.push(rest.get(..plain).unwrap_or_default())?;
        // A shorter one is padded with zeros.
        sink.push(escaped.split(|byte| *byte == 0).next().unwrap_or_default())?;
        rest = here.get(len..).unwrap_or_default();
        plain = 0;
    }
    sink.push(rest)
}

/// The escape of a character, if it needs one.
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
