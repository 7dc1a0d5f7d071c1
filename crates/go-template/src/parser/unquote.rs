//! Go's string and character literals.

use zeroize::Zeroizing;

use super::lexer::decode;

/// A character of a literal.
#[derive(Clone, Copy)]
pub(super) enum Character {
    /// A single byte: `\xff`, `\377`.
    Byte(u8),
    Unicode(char),
}

impl Character {
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Byte(byte) => byte.into(),
            Self::Unicode(character) => character.into(),
        }
    }
}

/// The content of the literal `text`, which includes its quotes; `None` if it is malformed.
pub(super) fn string(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match text {
        [b'`', inner @ .., b'`'] => {
            let mut value = Zeroizing::new(Vec::with_capacity(inner.len()));
            value.extend(inner.iter().filter(|&&byte| byte != b'\r'));
            Some(value)
        }
        [b'"', inner @ .., b'"'] => {
            // What an escape stands for is never longer than the escape, except for bytes that are not UTF-8.
            let mut value = Zeroizing::new(Vec::with_capacity(3 * inner.len()));
            let mut rest = inner;
            while !rest.is_empty() {
                let (character, after) = character(rest, b'"')?;
                match character {
                    Character::Byte(byte) => value.push(byte),
                    Character::Unicode(character) => {
                        value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                rest = after;
            }
            Some(value)
        }
        _ => None,
    }
}

/// The first character in a literal, and the rest.
pub(super) fn character(text: &[u8], quote: u8) -> Option<(Character, &[u8])> {
    let Some(escape) = text.strip_prefix(b"\\") else {
        let (character, len) = decode(text)?;
        if character == char::from(quote) {
            return None;
        }
        return Some((Character::Unicode(character), text.get(len..)?));
    };
    let (&escape, rest) = escape.split_first()?;
    let byte = match escape {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'\'' | b'"' if escape == quote => quote,
        b'x' => return escaped_byte(rest, 2, 16),
        b'0'..=b'7' => return escaped_byte(text.get(1..)?, 3, 8),
        b'u' => return escaped_character(rest, 4),
        b'U' => return escaped_character(rest, 8),
        _ => return None,
    };
    Some((Character::Unicode(char::from(byte)), rest))
}

fn escaped_byte(text: &[u8], digits: usize, base: u32) -> Option<(Character, &[u8])> {
    let (code, rest) = digits_of(text, digits, base)?;
    Some((Character::Byte(u8::try_from(code).ok()?), rest))
}

fn escaped_character(text: &[u8], digits: usize) -> Option<(Character, &[u8])> {
    let (code, rest) = digits_of(text, digits, 16)?;
    Some((Character::Unicode(char::from_u32(code)?), rest))
}

fn digits_of(text: &[u8], digits: usize, base: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let code = digits
        .iter()
        .try_fold(0_u32, |code, &digit| code.checked_mul(base)?.checked_add(char::from(digit).to_digit(base)?))?;
    Some((code, rest))
}
