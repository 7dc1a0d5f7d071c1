//! Parses and writes JSON strings.

use super::bytes::{Bytes, Output};
use super::scan;

/// The content of a string, from its `raw` text with the quotes. A missing closing quote is not an error.
pub(super) fn content(raw: &[u8]) -> Bytes<'_> {
    let end = scan::string_end(raw, 1).map_or(raw.len(), |after_quote| after_quote - 1);
    decode(raw.get(1..end).unwrap_or_default())
}

/// The content of a string, from the text between its quotes.
pub(super) fn decode(inner: &[u8]) -> Bytes<'_> {
    if inner.contains(&b'\\') { unescape(inner).finish() } else { Bytes::Borrowed(inner) }
}

/// `text` with its escapes resolved. As in Go, everything after an invalid escape or a control character is lost.
pub(super) fn unescape(text: &[u8]) -> Output {
    let mut output = Output::default();
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|&byte| byte < b' ' || byte == b'\\').unwrap_or(rest.len());
        let (before, after) = rest.split_at(plain);
        output.push(before);
        let [b'\\', escape, after @ ..] = after else { return output };
        rest = after;
        let byte = match escape {
            b'\\' | b'/' | b'"' => *escape,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let Some((character, after)) = unicode_escape(rest) else { return output };
                output.push(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
                continue;
            }
            _ => return output,
        };
        output.push(&[byte]);
    }
}

/// Parses a `\u` escape from what follows the `u`. Returns the character and the rest. Half a surrogate pair is U+FFFD,
/// and invalid digits count as zero.
fn unicode_escape(text: &[u8]) -> Option<(char, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let first = code_unit(digits);
    if !(0xd800..0xe000).contains(&first) {
        return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest));
    }
    let [b'\\', b'u', after @ ..] = rest else { return Some((char::REPLACEMENT_CHARACTER, rest)) };
    let Some((digits, after)) = after.split_at_checked(4) else {
        return Some((char::REPLACEMENT_CHARACTER, rest));
    };
    let second = code_unit(digits);
    let character = if first < 0xdc00 && (0xdc00..0xe000).contains(&second) {
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    } else {
        None
    };
    Some((character.unwrap_or(char::REPLACEMENT_CHARACTER), after))
}

fn code_unit(digits: &[u8]) -> u32 {
    let value = |&digit| char::from(digit).to_digit(16);
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | value(digit)?)).unwrap_or(0)
}

/// `text` as a JSON string. As in Go, escapes what is special in HTML, and replaces invalid UTF-8.
pub(super) fn quote(text: &[u8]) -> Output {
    let mut output = Output::default();
    output.push(b"\"");
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            quote_character(&mut output, character);
        }
        for _ in chunk.invalid() {
            output.push(b"\\ufffd");
        }
    }
    output.push(b"\"");
    output
}

fn quote_character(output: &mut Output, character: char) {
    match character {
        '"' => output.push(b"\\\""),
        '\\' => output.push(b"\\\\"),
        '\u{8}' => output.push(b"\\b"),
        '\u{c}' => output.push(b"\\f"),
        '\n' => output.push(b"\\n"),
        '\r' => output.push(b"\\r"),
        '\t' => output.push(b"\\t"),
        '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            output.push(format!("\\u{:04x}", u32::from(character)).as_bytes());
        }
        _ => output.push(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
