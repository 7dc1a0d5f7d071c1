//! What a path finds.

use std::fmt;

use super::bytes::Bytes;
use super::{number, scan, strings};

/// The type of a value, determined by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `false`
    False,
    /// A number, including `NaN` and `Inf`, which are not JSON.
    Number,
    /// A string.
    String,
    /// `true`
    True,
    /// An object or an array.
    Json,
}

/// A value in a document, or one that a modifier produced.
#[derive(Clone)]
pub struct Value<'d> {
    kind: Kind,
    raw: Bytes<'d>,
}

impl<'d> Value<'d> {
    pub(super) const fn new(kind: Kind, raw: Bytes<'d>) -> Self {
        Self { kind, raw }
    }

    /// The first value of `document`, unchecked: an object or array extends to the document's end, whatever that is.
    pub(super) fn parse(document: &'d [u8]) -> Option<Self> {
        let start = document.iter().position(|&byte| byte > b' ')?;
        let rest = document.get(start..)?;
        let (kind, len) = match *rest.first()? {
            b'{' | b'[' => (Kind::Json, rest.len()),
            b'"' => (Kind::String, scan::balanced_len(rest)),
            b't' => (Kind::True, scan::literal_len(rest)),
            b'f' => (Kind::False, scan::literal_len(rest)),
            b'n' if rest.get(1).is_none_or(|&second| second == b'u') => (Kind::Null, scan::literal_len(rest)),
            b'+' | b'-' | b'0'..=b'9' | b'n' | b'i' | b'I' | b'N' => (Kind::Number, scan::number_len(rest)),
            _ => return None,
        };
        Some(Self::new(kind, Bytes::Borrowed(rest.get(..len)?)))
    }

    /// The value's type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The text of the value in the document, for example with a string's quotes.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(super) fn into_raw(self) -> Bytes<'d> {
        self.raw
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        Value { kind: self.kind, raw: self.raw.into_owned() }
    }

    /// The value in the form of GJSON's `String()`: a string without quotes and escapes, an object, array or plain
    /// integer unchanged, any other number in its shortest form without an exponent, and `null` as nothing.
    #[must_use]
    pub fn text(&self) -> Bytes<'_> {
        match self.kind {
            Kind::Null => Bytes::Borrowed(b""),
            Kind::False => Bytes::Borrowed(b"false"),
            Kind::True => Bytes::Borrowed(b"true"),
            Kind::Number if number::is_integer(&self.raw) => Bytes::Borrowed(&self.raw),
            Kind::Number => Bytes::Owned(number::format(self.number()).into_bytes().into()),
            Kind::String => strings::content(&self.raw),
            Kind::Json => Bytes::Borrowed(&self.raw),
        }
    }

    /// The number of a [`Kind::Number`]; zero if its text is not a number.
    pub(super) fn number(&self) -> f64 {
        number::parse(&self.raw)
    }

    pub(super) fn is_array(&self) -> bool {
        self.kind == Kind::Json && self.raw.first() == Some(&b'[')
    }

    pub(super) fn is_object(&self) -> bool {
        self.kind == Kind::Json && self.raw.first() == Some(&b'{')
    }

    /// The boolean that a value represents, if any: `"true"`, `"T"`, `"0"`, `0`.
    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            Kind::Number => Some(self.number() != 0.0),
            Kind::String => match self.text().to_ascii_lowercase().as_slice() {
                b"1" | b"t" | b"true" => Some(true),
                b"0" | b"f" | b"false" => Some(false),
                _ => None,
            },
            Kind::Null | Kind::Json => None,
        }
    }

    /// The integer that a modifier's argument represents.
    pub(super) fn as_integer(&self) -> i64 {
        match self.kind {
            Kind::True => 1,
            Kind::String => number::parse_integer(&self.text()).unwrap_or(0),
            Kind::Number => number::to_integer(self.number(), &self.raw),
            Kind::False | Kind::Null | Kind::Json => 0,
        }
    }

    /// The members of an object or elements of an array; otherwise none.
    pub(super) fn items(&self) -> impl Iterator<Item = scan::Item<'_>> {
        scan::items(if self.kind == Kind::Json { self.raw() } else { b"" })
    }
}

/// Prints only the type and the length: the value is part of a secret.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("kind", &self.kind).field("raw", &self.raw).finish()
    }
}
