//! Go's quoted strings and characters.

/// `text` in double quotes, as `%q` prints it.
#[must_use]
pub(crate) fn quoted(text: &[u8]) -> String {
    escaped(text, '"', is_printable)
}

/// `text` in double quotes and in ASCII only, as `%+q` prints it.
pub(super) fn quoted_ascii(text: &[u8]) -> String {
    escaped(text, '"', |character| character.is_ascii() && is_printable(character))
}

/// A character in single quotes, as `%q` prints an integer.
pub(super) fn quoted_char(character: char) -> String {
    escaped(character.encode_utf8(&mut [0; 4]).as_bytes(), '\'', is_printable)
}

/// A character in single quotes, in ASCII only.
pub(super) fn quoted_char_ascii(character: char) -> String {
    escaped(character.encode_utf8(&mut [0; 4]).as_bytes(), '\'', |other| other.is_ascii() && is_printable(other))
}

/// Whether `text` can be written between back quotes.
pub(super) fn can_be_raw(text: &[u8]) -> bool {
    let is_plain = |character: char| character == '\t' || !matches!(character, '\0'..' ' | '`' | '\u{7f}' | '\u{feff}');
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(is_plain))
}

/// Whether a character is printed literally.
pub(crate) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // After another character, the standard library escapes exactly what Go does not print.
    let mut buffer = [b'a'; 5];
    let len = buffer.get_mut(1..).map_or(0, |rest| character.encode_utf8(rest).len());
    let text = buffer.get(..=len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    text.escape_debug().nth(1) == Some(character)
}

fn escaped(text: &[u8], quote: char, is_plain: impl Fn(char) -> bool) -> String {
    let mut output = String::with_capacity(text.len() + 2);
    output.push(quote);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape(&mut output, character, quote, &is_plain);
        }
        for byte in chunk.invalid() {
            push_code(&mut output, 'x', 2, (*byte).into());
        }
    }
    output.push(quote);
    output
}

fn escape(output: &mut String, character: char, quote: char, is_plain: &impl Fn(char) -> bool) {
    let code = u32::from(character);
    match character {
        '\\' => output.push_str("\\\\"),
        _ if character == quote => output.extend(['\\', quote]),
        _ if is_plain(character) => output.push(character),
        '\u{7}' => output.push_str("\\a"),
        '\u{8}' => output.push_str("\\b"),
        '\u{c}' => output.push_str("\\f"),
        '\n' => output.push_str("\\n"),
        '\r' => output.push_str("\\r"),
        '\t' => output.push_str("\\t"),
        '\u{b}' => output.push_str("\\v"),
        '\0'..' ' | '\u{7f}' => push_code(output, 'x', 2, code),
        '\0'..='\u{ffff}' => push_code(output, 'u', 4, code),
        _ => push_code(output, 'U', 8, code),
    }
}

fn push_code(output: &mut String, mark: char, digits: u32, code: u32) {
    output.extend(['\\', mark]);
    output.extend((0..digits).rev().filter_map(|digit| char::from_digit(code >> (4 * digit) & 0xf, 16)));
}
