//! The content of a string.

use std::fmt;

use zeroize::Zeroizing;

/// The content of a string, decoded only when it is requested.
#[derive(Clone, Copy)]
pub struct Text<'t> {
    /// The text between the quotes.
    raw: &'t [u8],
}

/// Does not print the text, which may be a secret.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl<'t> Text<'t> {
    /// From the bytes between quotes, which contain no quote and no invalid backslash.
    pub(crate) fn of_valid(raw: &'t [u8]) -> Self {
        Self { raw }
    }

    /// Its characters. A byte that is not UTF-8 becomes U+FFFD, and so does half of a surrogate pair.
    pub fn chars(self) -> impl Iterator<Item = char> + 't {
        Characters { rest: self.raw }
    }

    /// An owned copy, which is wiped. It is allocated once, so that no other copy is left behind.
    #[must_use]
    pub fn copied(self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.chars().map(char::len_utf8).sum()));
        text.extend(self.chars());
        text
    }
}

struct Characters<'t> {
    rest: &'t [u8],
}

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = *self.rest.first()?;
        if first == b'\\' {
            return Some(self.escaped());
        }
        let (character, len) = if first.is_ascii() { (char::from(first), 1) } else { decode(self.rest) };
        self.skip(len);
        Some(character)
    }
}

impl Characters<'_> {
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn escaped(&mut self) -> char {
        let letter = self.rest.get(1).copied().unwrap_or(b'\\');
        if letter == b'u' {
            return self.code_points();
        }
        self.skip(2);
        match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            itself => char::from(itself),
        }
    }

    /// `\uXXXX`; two of them may be the halves of one character.
    fn code_points(&mut self) -> char {
        let units = [self.rest, self.rest.get(6..).unwrap_or_default()].into_iter().map_while(code_unit);
        let character = char::decode_utf16(units).next().and_then(Result::ok);
        self.skip(6 * character.map_or(1, char::len_utf16));
        character.unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// The number in `\uXXXX`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The first character of `text` and its length. A byte that is not UTF-8 counts as U+FFFD.
pub(crate) fn decode(text: &[u8]) -> (char, usize) {
    let start = text.get(..4).unwrap_or(text);
    let valid = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |character| (character, character.len_utf8()))
}
