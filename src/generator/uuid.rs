//! Random UUIDs (RFC 9562, version 4).

use rand::RngExt as _;

use super::values::{Values, secret};

/// The key of the value.
pub const KEY: &str = "uuid";

/// A UUID in lower case.
#[must_use]
pub fn mint(random: &mut impl rand::CryptoRng) -> Values {
    let mut bytes: [u8; 16] = random.random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = Vec::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend([byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    [(KEY.to_owned(), secret(text))].into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_uuid_is_of_version_4_and_36_characters_in_lower_case() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let uuid = String::from_utf8(mint(&mut rand::rng())[KEY].expose_secret().to_vec()).unwrap();
            let parts: Vec<_> = uuid.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(uuid.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')));
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
            assert!(seen.insert(uuid));
        }
    }
}
