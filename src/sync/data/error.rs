//! Why data cannot be assembled.

use crate::api::v1::external_secret::DecodingStrategy;
use crate::{budget, re2, template};

/// Why data cannot be assembled: which field is wrong, and what to change. Names keys but never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum DataError {
    /// A value does not have the expected encoding.
    #[error(
        "{field}: the value for the key {key:?} is not valid {strategy:?}; set decodingStrategy to what the value is, or to None"
    )]
    Undecodable {
        field: String,
        /// The key for the value.
        key: String,
        strategy: DecodingStrategy,
    },
    /// A value contains a null byte, which the policy rejects.
    #[error(
        "{field}: the value for the key {key:?} has null bytes; keep it as PEM or base64 at the provider, or leave nullBytePolicy out"
    )]
    NullByte { field: String, key: String },
    /// Two names are equal after conversion.
    #[error(
        "{field}: the names {first:?} and {second:?} are both converted to the key {key:?}; set conversionStrategy to Unicode, or use rewrite"
    )]
    Collision {
        field: String,
        /// A name at the provider.
        first: String,
        /// Another name.
        second: String,
        key: String,
    },
    /// A name is not a valid key.
    #[error(
        "{field}: {key:?} cannot be a key: keys have letters, digits, '-', '_' and '.', and at most 253 characters; change it with rewrite"
    )]
    InvalidKey { field: String, key: String },
    /// A template produces a key that is not UTF-8.
    #[error(
        "{field}: the template makes a key of {key:?} that is not UTF-8; make it of letters, digits, '-', '_' and '.'"
    )]
    KeyNotText { field: String, key: String },
    /// A regular expression is invalid.
    #[error("{field}: {error}; write it in the syntax of RE2")]
    Regexp { field: String, error: re2::Error },
    /// The ExternalSecret exceeds a budget.
    #[error("{field}: {error}")]
    Budget {
        /// The field that exceeds it.
        field: String,
        /// The budget.
        error: budget::Exceeded,
    },
    /// A rewrite produces an empty name, because the replacement names a group that the expression does not have.
    #[error(
        "{field}: it makes the key {key:?} empty, since ${name} is a group of that whole name, which the source does not have; {}",
        match meant { Some(meant) => format!("write {meant}"), None => "name one of its groups, such as ${1}".to_owned() }
    )]
    EmptyKey {
        field: String,
        key: String,
        /// The name of the group.
        name: String,
        /// What was probably intended.
        meant: Option<String>,
    },
    /// A regular expression exceeds its limit for one key.
    #[error("{field}: {error}, for the key {key:?}; make it simpler")]
    RegexpExceeded {
        field: String,
        key: String,
        /// The limit.
        error: re2::Exceeded,
    },
    /// A template is invalid.
    #[error("{field}: {error}")]
    Template { field: String, error: template::Error },
    /// A template fails.
    #[error("{field}: for the key {key:?}: {error}")]
    Rendering { field: String, key: String, error: template::Error },
    /// Several values have the same property.
    #[error(
        "{field}: more than one value has {}; set conflictPolicy to Ignore, and priority to the key whose value counts",
        listed(properties)
    )]
    MergeConflict {
        field: String,
        /// The properties, sorted.
        properties: Vec<String>,
    },
    /// A key of `priority` does not exist.
    #[error(
        "{field}: there is no key {key:?}; name one that the provider gives, or set priorityPolicy to IgnoreNotFound"
    )]
    MergePriority { field: String, key: String },
    /// A value to merge is not a JSON object.
    #[error("{field}: the value for the key {key:?} is not a JSON object; merge takes values that are JSON objects")]
    MergeNotAnObject { field: String, key: String },
    /// A value to merge has a byte order mark before its JSON.
    #[error(
        "{field}: the value for the key {key:?} begins with a byte order mark (U+FEFF), which JSON must not have; store it without"
    )]
    MergeByteOrderMark { field: String, key: String },
    /// There is no key for the merged object.
    #[error("{field}: it is needed with the strategy JSON; set it to the key for the merged object")]
    MergeInto { field: String },
}

impl DataError {
    /// `field` exceeds the budget.
    pub(super) fn budget(field: &str, error: budget::Exceeded) -> Self {
        Self::Budget { field: field.to_owned(), error }
    }
}

/// The first names of a list, as many as a message can hold.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}
