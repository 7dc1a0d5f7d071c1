//! Escapes.

use super::class::NOTHING;
use super::{Error, ErrorKind, Item, Translator};

/// One character of a class or an escape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CodePoint(pub(super) u32);

impl CodePoint {
    /// The character; `None` for a surrogate, which no text contains.
    pub(super) fn character(self) -> Option<char> {
        char::from_u32(self.0)
    }
}

impl Translator<'_> {
    /// Parses an escape outside of a class.
    pub(super) fn escape(&mut self, items: &mut Vec<Item>) -> Result<(), Error> {
        let start = self.rest;
        let assertion = match start.as_bytes().get(1) {
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'C') => return Err(Error::new(ErrorKind::InvalidEscape, r"\C")),
            Some(b'Q') => {
                let quoted = start.get(2..).unwrap_or_default();
                let (literal, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.rest = rest;
                items.extend(literal.chars().map(|character| self.literal(character)));
                return Ok(());
            }
            _ => "",
        };
        if !assertion.is_empty() {
            self.skip(2);
            items.push(Item::leaf(assertion, 1));
            return Ok(());
        }
        if let Some(class) = self.class_escape()? {
            items.push(Item::leaf(self.folded(format!("[{}]", class.text)), class.size));
            return Ok(());
        }
        let code_point = self.character_escape()?;
        items.push(match code_point.character() {
            Some(character) => self.literal(character),
            None => Item::leaf(NOTHING, 1),
        });
        Ok(())
    }

    /// Parses an escape for a single character.
    pub(super) fn character_escape(&mut self) -> Result<CodePoint, Error> {
        let start = self.rest;
        self.skip(1);
        let Some(letter) = self.next() else {
            return Err(Error::new(ErrorKind::TrailingBackslash, ""));
        };
        let code_point = match letter {
            '1'..='7' if !self.rest.starts_with(|c: char| c.is_digit(8)) => None,
            '0'..='7' => Some(self.octal(letter)),
            'x' => self.hexadecimal(),
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Some(u32::from(letter)),
            _ => None,
        };
        code_point.map(CodePoint).ok_or_else(|| Error::new(ErrorKind::InvalidEscape, self.since(start)))
    }

    /// Parses up to three octal digits; the first has been read.
    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            self.skip(1);
            value = value * 8 + digit;
        }
        value
    }

    /// Parses two hexadecimal digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut value = None;
        loop {
            match self.next()? {
                '}' => return value,
                digit => {
                    let larger = value.unwrap_or(0) * 16 + digit.to_digit(16)?;
                    value = Some(larger).filter(|value| *value <= u32::from(char::MAX));
                    value?;
                }
            }
        }
    }

    /// Reads one character.
    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.skip(next.len_utf8());
        Some(next)
    }
}
