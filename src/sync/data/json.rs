//! Reads JSON as Go's `encoding/json` reads it into `any`: numbers become floats, the last of equal
//! names counts, and what is not UTF-8 in a string becomes U+FFFD. Values are wiped.

use std::collections::BTreeMap;
use std::str::Utf8Chunk;

use zeroize::Zeroizing;

use crate::budget::{Budget, Exceeded};

/// How deep values may be nested (in Go: 10,000).
const MAX_DEPTH: usize = 256;

/// A JSON value.
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(Zeroizing<String>),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// The value that `text` is; `None` where it is not valid, or too deeply nested.
///
/// # Errors
/// If `budget` is used up by it.
pub(super) fn parse(text: &[u8], budget: &Budget) -> Result<Option<Json>, Exceeded> {
    budget.values(text.len())?;
    let mut parser = Parser { text, at: 0, depth: 0, budget, exceeded: None };
    let value = parser.value();
    if let Some(exceeded) = parser.exceeded {
        return Err(exceeded);
    }
    parser.skip_space();
    Ok(value.filter(|_| parser.at == text.len()))
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    budget: &'t Budget,
    /// Why it has ended, unless that is the text.
    exceeded: Option<Exceeded>,
}

impl Parser<'_> {
    fn value(&mut self) -> Option<Json> {
        if let Err(exceeded) = self.budget.nodes(1) {
            self.exceeded = Some(exceeded);
            return None;
        }
        self.skip_space();
        match self.peek()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Json::String),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn nested(&mut self, read: impl Fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Some(value)
    }

    fn object(&mut self) -> Option<Json> {
        let mut entries = BTreeMap::new();
        if self.next_is(b'}') {
            return Some(Json::Object(entries));
        }
        loop {
            self.skip_space();
            let name = (self.peek()? == b'"').then(|| self.string())??;
            if !self.next_is(b':') {
                return None;
            }
            entries.insert(name.as_str().to_owned(), self.value()?);
            if self.next_is(b'}') {
                return Some(Json::Object(entries));
            }
            if !self.next_is(b',') {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Json> {
        let mut items = Vec::new();
        if self.next_is(b']') {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.next_is(b']') {
                return Some(Json::Array(items));
            }
            if !self.next_is(b',') {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        self.skip_if(b"-");
        if !self.skip_if(b"0") && self.digits() == 0 {
            return None;
        }
        if self.skip_if(b".") && self.digits() == 0 {
            return None;
        }
        if self.skip_if(b"eE") {
            self.skip_if(b"+-");
            if self.digits() == 0 {
                return None;
            }
        }
        let text = std::str::from_utf8(self.text.get(start..self.at)?).ok()?;
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Json::Number)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.skip_if(b"0123456789") {}
        self.at - start
    }

    fn string(&mut self) -> Option<Zeroizing<String>> {
        self.at += 1;
        let rest = self.text.get(self.at..)?;
        let raw = rest.get(..string_len(rest)?)?;
        self.at += raw.len() + 1;
        // As long as it can become, so that it does not grow and leave copies behind.
        let longest =
            |chunk: Utf8Chunk<'_>| chunk.valid().len() + chunk.invalid().len() * char::REPLACEMENT_CHARACTER.len_utf8();
        let mut text = Zeroizing::new(String::with_capacity(raw.utf8_chunks().map(longest).sum()));
        for chunk in raw.utf8_chunks() {
            unescape(chunk.valid(), &mut text)?;
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        Some(text)
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        self.text.get(self.at..)?.starts_with(word.as_bytes()).then(|| self.at += word.len())?;
        Some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips the next byte if it is one of `bytes`.
    fn skip_if(&mut self, bytes: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.skip_if(&[byte])
    }

    fn skip_space(&mut self) {
        while self.skip_if(b" \t\r\n") {}
    }
}

/// How long a string is whose opening quote was read.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            0..=0x1F => return None,
            _ => at += 1,
        }
    }
}

fn unescape(raw: &str, text: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(rest.get(..backslash)?);
        let letter = *rest.as_bytes().get(backslash + 1)?;
        rest = rest.get(backslash + 2..)?;
        text.push(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = hexadecimal(rest)?;
                rest = rest.get(4..)?;
                let second = rest.strip_prefix(r"\u").and_then(hexadecimal);
                match char::decode_utf16([Some(first), second].into_iter().flatten()).next()? {
                    Ok(character) => {
                        if character.len_utf16() == 2 {
                            rest = rest.get(6..)?;
                        }
                        character
                    }
                    Err(_) => char::REPLACEMENT_CHARACTER,
                }
            }
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(())
}

fn hexadecimal(text: &str) -> Option<u16> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}
