//! Looks for secret values where none may be.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// How JSON web tokens of the cluster and of Entra ID start: `{"alg":` and `{"typ":`.
const TOKENS: [&str; 2] = ["eyJhbGciOi", "eyJ0eXAiOi"];

/// What to look for, and how far the logs have been read.
pub struct Leaks {
    needles: Vec<Vec<u8>>,
    read: HashMap<PathBuf, usize>,
}

impl Leaks {
    /// For values that start with this text.
    pub fn of(canary: &str) -> Self {
        let mut needles = vec![canary.as_bytes().to_vec()];
        for alphabet in [&STANDARD, &URL_SAFE] {
            needles.extend((0..3).map(|before| encoded(canary, before, alphabet)));
        }
        let numbers: Vec<_> = canary.bytes().map(|byte| byte.to_string()).collect();
        needles.extend([numbers.join(", "), numbers.join(" ")].map(String::into_bytes));
        needles.extend(TOKENS.iter().map(|token| token.as_bytes().to_vec()));
        Self { needles, read: HashMap::new() }
    }

    /// Whether a text contains a value or a token.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.needles.iter().any(|needle| memchr::memmem::find(text, needle).is_some())
    }

    /// Searches what has been added to the logs.
    pub fn in_logs<'a>(&mut self, logs: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
        let mut found = Vec::new();
        for log in logs {
            let text = std::fs::read(log).unwrap_or_default();
            let from = self.read.insert(log.to_owned(), whole_lines(&text)).unwrap_or_default();
            let leaking = text[from..].split(|byte| *byte == b'\n').filter(|line| self.is_in(line)).count();
            if leaking > 0 {
                let name = log.file_name().unwrap_or_default().to_string_lossy();
                found.push(format!("{leaking} lines of {name} hold a secret value or a token"));
            }
        }
        found
    }
}

fn whole_lines(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |end| end + 1)
}

/// A text in base64 after `before` other bytes, without the characters that depend on its neighbors.
fn encoded(text: &str, before: usize, alphabet: &GeneralPurpose) -> Vec<u8> {
    let bytes = [&vec![0; before][..], text.as_bytes()].concat();
    let whole = alphabet.encode(&bytes).into_bytes();
    let first = (before * 8).div_ceil(6);
    whole[first..bytes.len() * 8 / 6].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_however_it_is_encoded() {
        let leaks = Leaks::of("canary0123456789");
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}canary0123456789.1.2");
            for shown in
                [text.clone(), STANDARD.encode(&text), URL_SAFE.encode(&text), format!("{:?}", text.as_bytes())]
            {
                assert!(leaks.is_in(format!("value: {shown}").as_bytes()), "{shown} is not found");
            }
        }
        assert!(!leaks.is_in(b"nothing of that kind"));
    }
}
