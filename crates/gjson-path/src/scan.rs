//! Finds where values begin and end, as leniently as GJSON: it trusts quotes and brackets, and skips everything else
//! that cannot begin a value.
//!
//! Positions are byte offsets. A `next` may be one past the end of the document. That means that the document ended
//! inside a string, which ends every enclosing search. A document that only lacks closing brackets is treated as if it
//! had them.

use super::bytes::Bytes;
use super::value::{Kind, Value};

/// A value in a document.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) kind: Kind,
    start: usize,
    /// Where to continue.
    pub(super) next: usize,
}

impl Span {
    /// The value's text in the `json` that it was found in.
    pub(super) fn raw(self, json: &[u8]) -> &[u8] {
        json.get(self.start..self.next.min(json.len())).unwrap_or_default()
    }

    pub(super) fn value(self, json: &[u8]) -> Value<'_> {
        Value::new(self.kind, Bytes::Borrowed(self.raw(json)))
    }
}

/// The next part of an object.
pub(super) enum Member {
    /// A key, between its quotes.
    Key { start: usize, end: usize },
    /// The object's end.
    Close { next: usize },
    /// The document's end.
    End,
}

/// The next part of an array.
pub(super) enum Element {
    /// An element begins here.
    At(usize),
    /// The array's end, or the document's.
    Close { next: usize },
    /// The document ended inside a string.
    Broken,
}

/// The next key of an object, from `i` on.
pub(super) fn member(json: &[u8], i: usize) -> Member {
    let Some(at) = position(json, i, |byte| matches!(byte, b'"' | b'}')) else { return Member::End };
    if json.get(at) == Some(&b'}') {
        return Member::Close { next: at + 1 };
    }
    match string_end(json, at + 1) {
        Some(next) => Member::Key { start: at + 1, end: next - 1 },
        None => Member::End,
    }
}

/// The next element of an array, from `i` on.
pub(super) fn element(json: &[u8], i: usize) -> Element {
    if i > json.len() {
        return Element::Broken;
    }
    match position(json, i, |byte| byte == b']' || starts_value(byte)) {
        Some(at) if json.get(at) != Some(&b']') => Element::At(at),
        Some(at) => Element::Close { next: at + 1 },
        None => Element::Close { next: json.len() + 1 },
    }
}

/// Where the next value begins, from `i` on.
pub(super) fn value_start(json: &[u8], i: usize) -> Option<usize> {
    position(json, i, starts_value)
}

/// The next value from `i` on; `None` if there is none, or only a string that is not closed.
pub(super) fn next_value(json: &[u8], i: usize) -> Option<Span> {
    value_at(json, value_start(json, i)?)
}

/// The value that begins at `start`; `None` for a string that is not closed.
pub(super) fn value_at(json: &[u8], start: usize) -> Option<Span> {
    let rest = json.get(start..)?;
    let kind = match *rest.first()? {
        b'"' => Kind::String,
        b'{' | b'[' => Kind::Json,
        b't' => Kind::True,
        b'f' => Kind::False,
        // `nan` is a number, `null` is not.
        b'n' if rest.get(1).is_none_or(|&second| second == b'u') => Kind::Null,
        _ => Kind::Number,
    };
    let next = match kind {
        Kind::String => string_end(json, start + 1)?,
        Kind::Json => bracket_end(json, start),
        Kind::Number => start + number_len(rest),
        Kind::True | Kind::False | Kind::Null => start + literal_len(rest),
    };
    Some(Span { kind, start, next })
}

/// Whether a value can begin with this byte.
const fn starts_value(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'[' | b'n' | b't' | b'f' | b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N')
}

/// The position after the quote that closes the string whose content begins at `i`.
pub(super) fn string_end(json: &[u8], mut i: usize) -> Option<usize> {
    loop {
        match json.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

/// The position after the bracket that closes the one at `start`. The byte at `start` counts as an opening bracket in
/// any case, and the three kinds of brackets are not distinguished.
pub(super) fn bracket_end(json: &[u8], start: usize) -> usize {
    let mut depth = 1_usize;
    let mut i = start + 1;
    while let Some(&byte) = json.get(i) {
        i += 1;
        match byte {
            b'"' => match string_end(json, i) {
                Some(end) => i = end,
                None => return json.len() + 1,
            },
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => {}
        }
    }
    i
}

/// The length of the string or bracketed text at the start of `text`.
pub(super) fn balanced_len(text: &[u8]) -> usize {
    let end =
        if text.first() == Some(&b'"') { string_end(text, 1).unwrap_or(text.len()) } else { bracket_end(text, 0) };
    end.min(text.len())
}

/// The length of the number at the start of `text`.
pub(super) fn number_len(text: &[u8]) -> usize {
    position(text, 1, |byte| byte <= b' ' || matches!(byte, b',' | b']' | b'}')).unwrap_or(text.len())
}

/// The length of the literal (`true`, `false`, `null`) at the start of `text`.
pub(super) fn literal_len(text: &[u8]) -> usize {
    position(text, 1, |byte| !byte.is_ascii_lowercase()).unwrap_or(text.len())
}

fn position(text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    text.get(from..)?.iter().position(|&byte| wanted(byte)).map(|offset| from + offset)
}

/// `text` without spaces and control characters at its ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let start = position(text, 0, |byte| byte > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| byte > b' ').map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// Iterates over the members of an object or the elements of an array, for modifiers.
pub(super) struct Items<'d> {
    json: &'d [u8],
    next: usize,
    is_object: bool,
}

/// One member or element.
pub(super) struct Item<'d> {
    /// The key with its quotes; empty for an element.
    pub(super) key: &'d [u8],
    pub(super) value: Value<'d>,
}

/// The items of `container`, the text of an object or array. As in Go, closing brackets do not end it: values in the
/// text after them count, too.
pub(super) fn items(container: &[u8]) -> Items<'_> {
    let is_object = container.first() == Some(&b'{');
    Items { json: container, next: 1, is_object }
}

impl<'d> Iterator for Items<'d> {
    type Item = Item<'d>;

    fn next(&mut self) -> Option<Item<'d>> {
        let json = self.json;
        let mut key: &[u8] = &[];
        let mut from = self.next;
        if self.is_object {
            let quote = position(json, from, |byte| byte == b'"')?;
            from = string_end(json, quote + 1)?;
            key = json.get(quote..from)?;
        }
        let Some(span) = next_value(json, from) else {
            self.next = json.len();
            return None;
        };
        // As in Go, the byte after a value is assumed to be its comma.
        self.next = span.next + 1;
        Some(Item { key, value: span.value(json) })
    }
}
