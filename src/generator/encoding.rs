//! The encodings of passwords.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::api::generators::PasswordEncoding;

/// A password in an encoding. Base64 and base32 are padded with `=`, as in ESO.
pub(super) fn encode(encoding: PasswordEncoding, password: &[u8]) -> Vec<u8> {
    match encoding {
        PasswordEncoding::Raw => password.to_vec(),
        PasswordEncoding::Base64 => STANDARD.encode(password).into_bytes(),
        PasswordEncoding::Base64url => URL_SAFE.encode(password).into_bytes(),
        PasswordEncoding::Base32 => base32(password),
        PasswordEncoding::Hex => hex(password),
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// RFC 4648, section 6: five bytes become eight digits.
fn base32(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = (bits >> (35 - 5 * index)) & 0x1f;
            text.push(if index < digits { DIGITS[usize::try_from(digit).unwrap_or_default()] } else { b'=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // From ESO's page, which is wrong about base32, and from Go's encoders.
    #[rstest]
    #[case(PasswordEncoding::Raw, "Test>>Pass??word")]
    #[case(PasswordEncoding::Base64, "VGVzdD4+UGFzcz8/d29yZA==")]
    #[case(PasswordEncoding::Base64url, "VGVzdD4-UGFzcz8_d29yZA==")]
    #[case(PasswordEncoding::Base32, "KRSXG5B6HZIGC43TH47XO33SMQ======")]
    #[case(PasswordEncoding::Hex, "546573743e3e506173733f3f776f7264")]
    fn encodings_are_those_of_go(#[case] encoding: PasswordEncoding, #[case] expected: &str) {
        assert_eq!(encode(encoding, b"Test>>Pass??word"), expected.as_bytes());
    }

    // RFC 4648, section 10.
    #[rstest]
    #[case("", "")]
    #[case("f", "MY======")]
    #[case("fo", "MZXQ====")]
    #[case("foo", "MZXW6===")]
    #[case("foob", "MZXW6YQ=")]
    #[case("fooba", "MZXW6YTB")]
    fn base32_is_padded(#[case] bytes: &str, #[case] expected: &str) {
        assert_eq!(base32(bytes.as_bytes()), expected.as_bytes());
    }
}
