//! Several values as one JSON object.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::secret::{SecretMap, SecretValue};

/// The most bytes that one byte takes in JSON: `\u0000`.
const LONGEST_ESCAPE: usize = 6;
/// Quotes, a colon and a comma.
const PUNCTUATION: usize = 6;

/// A JSON object of all values, sorted by key, as ESO writes it: `<`, `>` and `&` are not escaped, and bytes that are not UTF-8
/// are replaced.
#[must_use]
pub fn object(values: &SecretMap) -> SecretValue {
    let texts: BTreeMap<&str, Zeroizing<String>> = values
        .iter()
        .map(|(key, value)| (key.as_str(), Zeroizing::new(String::from_utf8_lossy(value.expose_secret()).into_owned())))
        .collect();
    let plain: BTreeMap<&str, &str> = texts.iter().map(|(key, text)| (*key, text.as_str())).collect();
    // With room for the longest escapes, because growing it would leave a copy in freed memory.
    let longest =
        plain.iter().map(|(key, text)| LONGEST_ESCAPE * (key.len() + text.len()) + PUNCTUATION).sum::<usize>();
    let mut json = Zeroizing::new(Vec::with_capacity(longest + PUNCTUATION));
    // A map of strings can always be serialized.
    let _ = serde_json::to_writer(&mut *json, &plain);
    Arc::new(json.to_vec().into())
}
