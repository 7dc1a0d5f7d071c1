//! Reads JSON, as Go's `encoding/json` does into an `interface {}`.

use std::collections::BTreeMap;

use super::Result;
use super::characters;
use crate::budget::{Budget, Buffer};
use crate::functions::FunctionError;
use crate::parser::decode;
use crate::value::{List, Map, Text, Type, Value};

/// What was read.
pub(super) struct Document {
    pub(super) value: Value,
    /// A number is too large for a float; null stands in its place.
    pub(super) has_overflow: bool,
}

/// Reads a document. Numbers become floats.
pub(super) fn read(text: &[u8], budget: &mut Budget) -> Result<Document> {
    let mut reader = Reader { text, at: 0, has_overflow: false, values: 0, budget };
    let value = reader.value()?;
    reader.skip_blanks();
    if reader.at < text.len() {
        return Err(reader.unexpected("after top-level value"));
    }
    Ok(Document { value, has_overflow: reader.has_overflow })
}

struct Reader<'t, 'b> {
    text: &'t [u8],
    at: usize,
    has_overflow: bool,
    /// How many there are, some of them in lists that are not complete.
    values: usize,
    budget: &'b mut Budget,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Go's error without the character, which may be a secret's.
    fn unexpected(&self, context: &str) -> FunctionError {
        match self.peek() {
            None => FunctionError::new("unexpected end of JSON input"),
            Some(_) => FunctionError::new(format!("invalid character {context}")),
        }
    }

    fn value(&mut self) -> Result {
        self.budget.steps(1)?;
        self.values += 1;
        self.budget.room(self.values * size_of::<Value>())?;
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn literal(&mut self, name: &str, value: Value) -> Result {
        for expected in name.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(&format!("in literal {name}")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result) -> Result {
        self.budget.descend()?;
        let value = read(self);
        // Also after an error, which may be swallowed.
        self.budget.ascend();
        value
    }

    fn array(&mut self) -> Result {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                items.push(self.value()?);
                if self.separator(b']', "after array element")? {
                    break;
                }
            }
        }
        Ok(Value::List(List::new(&Type::Any, items)))
    }

    fn object(&mut self) -> Result {
        self.at += 1;
        let mut entries = BTreeMap::new();
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let (key, value) = self.entry()?;
                entries.insert(key, value);
                if self.separator(b'}', "after object key:value pair")? {
                    break;
                }
            }
        }
        Ok(Value::Map(Map::from_entries(&Type::Any, entries)))
    }

    fn entry(&mut self) -> Result<(Text, Value)> {
        self.skip_blanks();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        let key = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok((key, self.value()?))
    }

    /// A comma, or the end of the container: whether it is the end.
    fn separator(&mut self, close: u8, context: &str) -> Result<bool> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.unexpected(context)),
        }
    }

    fn number(&mut self) -> Result {
        let start = self.at;
        self.accept(b"-");
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.accept(b".") {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.accept(b"eE") {
            self.accept(b"+-");
            self.digits("in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let number: f64 = text.parse().unwrap_or(f64::INFINITY);
        if number.is_finite() {
            return Ok(Value::Float(number));
        }
        self.has_overflow = true;
        Ok(Value::Nil)
    }

    fn accept(&mut self, bytes: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self, context: &str) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected(context)) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Text> {
        let mut output = Buffer::default();
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    characters::push(&mut output, character, self.budget)?;
                }
                Some(b' '..) => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let (character, len) = decode(rest).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
                    characters::push(&mut output, character, self.budget)?;
                    self.at += len;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
        self.at += 1;
        Ok(output.finish().into())
    }

    /// An escaped character, after the backslash.
    fn escape(&mut self) -> Result<char> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\u` with four digits; two of them may be the halves of one character.
    fn code_point(&mut self) -> Result<char> {
        let high = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&high) || !self.text.get(self.at..).unwrap_or_default().starts_with(b"\\u") {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_high = self.at;
        self.at += 2;
        let low = self.hexadecimal()?;
        if (0xdc00..0xe000).contains(&low) {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.at = after_high;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}
