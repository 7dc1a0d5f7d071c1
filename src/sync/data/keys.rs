//! `conversionStrategy`, and which keys are valid.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{DataError, SecretData};
use crate::api::v1::external_secret::ConversionStrategy;
use crate::re2::{is_letter, is_number};

/// The longest key that Kubernetes accepts.
const MAX_LEN: usize = 253;

/// Converts names to keys by replacing invalid characters.
pub(super) fn convert(field: &str, strategy: ConversionStrategy, set: SecretData) -> Result<SecretData, DataError> {
    let mut converted = SecretData::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in set {
        let key = converted_name(strategy, &name);
        if let Some(first) = names.insert(key.clone(), name.clone()) {
            let field = format!("{field}.conversionStrategy");
            return Err(DataError::Collision { field, first, second: name, key });
        }
        converted.insert(key, value);
    }
    Ok(converted)
}

fn converted_name(strategy: ConversionStrategy, name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for character in name.chars() {
        match strategy {
            _ if is_valid_character(character) => key.push(character),
            ConversionStrategy::Default => key.push('_'),
            // Writing to a String cannot fail.
            ConversionStrategy::Unicode => drop(write!(key, "_U{:04x}_", u32::from(character))),
        }
    }
    key
}

/// ESO's rule, which accepts letters and digits of all scripts, because data may be used only in a template. What goes
/// into a Secret is later checked against Kubernetes' rule.
pub(super) fn is_valid(key: &str) -> bool {
    key.len() <= MAX_LEN && key.chars().all(is_valid_character)
}

fn is_valid_character(character: char) -> bool {
    is_letter(character) || is_number(character) || matches!(character, '-' | '.' | '_')
}

/// A key, truncated to a length that can be shown.
pub(super) fn shortened(key: &str) -> String {
    key.get(..key.floor_char_boundary(MAX_LEN)).unwrap_or_default().to_owned()
}
