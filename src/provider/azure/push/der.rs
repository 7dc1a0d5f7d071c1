//! DER (X.690), as far as private keys need it.

/// The first element of a text: its tag, its content, and what follows it.
pub(super) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        // More than a key ever has.
        if count == 0 || count > 3 || rest.len() < count {
            return None;
        }
        let (bytes, rest) = rest.split_at(count);
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

/// The content of the first element, which has this tag, and what follows it.
pub(super) fn tagged(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// The bytes of a positive integer, without the leading zero that keeps it positive.
pub(super) fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = tagged(der, INTEGER)?;
    let start = content.iter().position(|byte| *byte != 0).unwrap_or(content.len());
    Some((&content[start..], rest))
}

/// Universal tags.
pub(super) const INTEGER: u8 = 0x02;
/// See [`INTEGER`].
pub(super) const OCTET_STRING: u8 = 0x04;
/// See [`INTEGER`].
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
/// See [`INTEGER`].
pub(super) const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_lies_is_none() {
        assert_eq!(element(&[0x04, 0x02, 1, 2, 3]), Some((0x04, &[1, 2][..], &[3][..])));
        for bad in [&[0x04][..], &[0x04, 0x03, 1], &[0x04, 0x80], &[0x04, 0x84, 0, 0, 0, 1], &[0x04, 0x82, 1]] {
            assert_eq!(element(bad), None);
        }
        assert_eq!(integer(&[0x02, 0x02, 0x00, 0x81]), Some((&[0x81][..], &[][..])));
    }
}
