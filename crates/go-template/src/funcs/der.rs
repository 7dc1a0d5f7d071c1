//! ASN.1 in DER, as far as keys, certificates and PKCS#12 files need it, written byte for byte as Go does.

use zeroize::Zeroizing;

/// Encoded DER, possibly of a private key.
pub(super) type Der = Zeroizing<Vec<u8>>;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const T61_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a context-specific element that contains other elements.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of a context-specific element that contains a value.
pub(super) const fn context_value(number: u8) -> u8 {
    0x80 | number
}

/// An element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Including its tag and length.
    pub(super) full: &'a [u8],
}

/// A sequence of elements. Malformed input reads as `None`.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub(super) fn element(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes do not occur.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (len, content) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (len, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let is_minimal = len.first() != Some(&0) && (len.len() > 1 || len.first() >= Some(&0x80));
                let len = len.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                is_minimal.then_some((len, content))?
            }
            _ => return None,
        };
        let (content, after) = content.split_at_checked(len)?;
        let full = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Element { tag, content, full })
    }

    /// The content of the next element, if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let element = ahead.element().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.content)
    }

    /// The elements in the next element, if it has this tag.
    pub(super) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }

    /// The next element as a whole number, as bytes without leading zeros; `None` if it is negative.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.expect(INTEGER)? {
            [0] => Some(&[]),
            [0, rest @ ..] if rest.first() >= Some(&0x80) => Some(rest),
            content @ [1..0x80, ..] => Some(content),
            _ => None,
        }
    }

    /// The next element as a small whole number.
    pub(super) fn small(&mut self) -> Option<u32> {
        let bytes = self.unsigned()?;
        (bytes.len() <= 4).then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// The next element as a bit string of whole bytes.
    pub(super) fn bit_string(&mut self) -> Option<&'a [u8]> {
        self.expect(BIT_STRING)?.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bytes)| bytes)
    }
}

/// The content of the single element in `bytes`, if it has this tag.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let content = reader.expect(tag)?;
    reader.is_empty().then_some(content)
}

/// An element with these parts as its content.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Der {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = Zeroizing::new(Vec::with_capacity(len + 6));
    der.push(tag);
    let bytes = len.to_be_bytes();
    let significant = bytes.iter().position(|byte| *byte != 0).and_then(|zeros| bytes.get(zeros..)).unwrap_or(&[]);
    match significant {
        [] => der.push(0),
        [short @ 0..=0x7f] => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            der.extend_from_slice(long);
        }
    }
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

pub(super) fn sequence(parts: &[&[u8]]) -> Der {
    element(SEQUENCE, parts)
}

/// A whole number from bytes, which may have leading zeros.
pub(super) fn unsigned(bytes: &[u8]) -> Der {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..) {
        None | Some([]) => element(INTEGER, &[&[0]]),
        Some(bytes @ [0x80..=0xff, ..]) => element(INTEGER, &[&[0], bytes]),
        Some(bytes) => element(INTEGER, &[bytes]),
    }
}

pub(super) fn small(number: u32) -> Der {
    unsigned(&number.to_be_bytes())
}

pub(super) fn octet_string(bytes: &[u8]) -> Der {
    element(OCTET_STRING, &[bytes])
}

pub(super) fn bit_string(bytes: &[u8]) -> Der {
    element(BIT_STRING, &[&[0], bytes])
}

pub(super) fn oid(oid: &[u8]) -> Der {
    element(OBJECT_IDENTIFIER, &[oid])
}

pub(super) fn null() -> Der {
    element(NULL, &[])
}

/// An object identifier in dotted form.
pub(super) fn dotted(oid: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let (&first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let parts = [root, first - 40 * root].into_iter().chain(rest.iter().copied());
    Some(parts.map(|part| part.to_string()).collect::<Vec<_>>().join("."))
}
