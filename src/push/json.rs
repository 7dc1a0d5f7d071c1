//! Several values as one JSON object.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::secret::{SecretMap, SecretValue};

/// What a byte becomes at most: `\u0000`.
const LONGEST_ESCAPE: usize = 6;
/// Quotes, a colon and a comma.
const PUNCTUATION: usize = 6;

/// A JSON object of all values, sorted by key, as ESO writes it: `<`, `>` and `&` stand as they are, and what is not UTF-8 is
/// replaced.
#[must_use]
pub fn object(values: &SecretMap) -> SecretValue {
    let texts: BTreeMap<&str, Zeroizing<String>> = values
        .iter()
        .map(|(key, value)| (key.as_str(), Zeroizing::new(String::from_utf8_lossy(value.expose_secret()).into_owned())))
        .collect();
    let plain: BTreeMap<&str, &str> = texts.iter().map(|(key, text)| (*key, text.as_str())).collect();
    // With room for the longest escapes, so that no copy of a part stays in memory.
    let longest =
        plain.iter().map(|(key, text)| LONGEST_ESCAPE * (key.len() + text.len()) + PUNCTUATION).sum::<usize>();
    let mut json = Zeroizing::new(Vec::with_capacity(longest + PUNCTUATION));
    // Strings by strings can always be written.
    let _ = serde_json::to_writer(&mut *json, &plain);
    Arc::new(json.to_vec().into())
}
