//! Recognizes a text that was mistaken for something else, so that an error can say what to do.

use super::pem::standard_base64;
use crate::functions::FunctionError;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Whether a text begins with a byte order mark, which some editors and PowerShell write and JSON must not have.
pub(super) fn has_byte_order_mark(text: &[u8]) -> bool {
    text.starts_with(BYTE_ORDER_MARK)
}

/// A text without a leading byte order mark.
pub(super) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// What a function expects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Json,
    Pem,
    Pkcs12,
}

impl Wanted {
    /// The first byte of what is expected, by which it can be recognized under base64.
    const fn first_byte(self) -> u8 {
        match self {
            Self::Json => b'{',
            Self::Pem => b'-',
            // A DER sequence.
            Self::Pkcs12 => 0x30,
        }
    }
}

/// The error for a text that is not what is expected: what it is instead if that can be recognized, or else `problem`.
pub(super) fn or(text: &[u8], wanted: Wanted, problem: &str) -> FunctionError {
    FunctionError::new(instead(text, wanted).unwrap_or(problem))
}

fn instead(text: &[u8], wanted: Wanted) -> Option<&'static str> {
    /// What sprig's `b64dec` returns, instead of an error, for a text that is not base64.
    const B64DEC_FAILED: &[u8] = b"illegal base64 data at input byte ";
    if wanted == Wanted::Json && has_byte_order_mark(text) {
        return Some(
            "it begins with a byte order mark (U+FEFF); store it without one, or cut that off by trimPrefix \"\\ufeff\"",
        );
    }
    if text.starts_with(B64DEC_FAILED) {
        return Some(
            "b64dec could not decode the value, which is perhaps decoded already; leave b64dec out, or decodingStrategy",
        );
    }
    if wanted == Wanted::Pkcs12 && text.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Some("it is PEM; take what is needed out of it by filterPEM");
    }
    let decoded = standard_base64(text.trim_ascii())?;
    (decoded.first() == Some(&wanted.first_byte())).then_some("it is in base64; decode it by b64dec first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_a_text_is_instead() {
        let texts: [(&[u8], Wanted, &str); 9] = [
            (b"MIIJ+QIBAzCC\n", Wanted::Pkcs12, "b64dec first"),
            (b"LS0tLS1CRUdJTg==", Wanted::Pem, "b64dec first"),
            (b"eyJrdHkiOiJSU0EifQ==", Wanted::Json, "b64dec first"),
            (b"\n-----BEGIN CERTIFICATE-----", Wanted::Pkcs12, "filterPEM"),
            (b"-----BEGIN CERTIFICATE-----", Wanted::Pem, "the problem"),
            (b"\xef\xbb\xbf{}", Wanted::Json, "byte order mark"),
            (b"illegal base64 data at input byte 4", Wanted::Pem, "decoded already"),
            (b"hello", Wanted::Json, "the problem"),
            (b"", Wanted::Pkcs12, "the problem"),
        ];
        for (text, wanted, words) in texts {
            let FunctionError::Failed(message) = or(text, wanted, "the problem") else { panic!("it fails") };
            assert!(message.contains(words), "{message}");
        }
    }
}
