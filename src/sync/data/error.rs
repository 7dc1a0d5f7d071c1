//! Why data cannot be put together.

use crate::api::v1::external_secret::DecodingStrategy;
use crate::{budget, re2, template};

/// Why data cannot be put together: which field says what cannot be done, and what to change. Names
/// keys, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// A value is not of the encoding that it should have.
    #[error(
        "{field}: the value for the key {key:?} is not valid {strategy:?}; set decodingStrategy to what the value is, or to None"
    )]
    Undecodable {
        /// The field.
        field: String,
        /// The key that the value would have.
        key: String,
        /// The encoding.
        strategy: DecodingStrategy,
    },
    /// A value has a byte of value zero, and the policy is not to take it.
    #[error(
        "{field}: the value for the key {key:?} has null bytes; keep it as PEM or base64 at the provider, or leave nullBytePolicy out"
    )]
    NullByte {
        /// The field.
        field: String,
        /// The key.
        key: String,
    },
    /// Two names are the same once they are converted.
    #[error(
        "{field}: the names {first:?} and {second:?} are both converted to the key {key:?}; set conversionStrategy to Unicode, or use rewrite"
    )]
    Collision {
        /// The field.
        field: String,
        /// A name at the provider.
        first: String,
        /// Another.
        second: String,
        /// The key.
        key: String,
    },
    /// A name is not a key.
    #[error(
        "{field}: {key:?} cannot be a key: keys have letters, digits, '-', '_' and '.', and at most 253 characters; change it by rewrite"
    )]
    InvalidKey {
        /// The field.
        field: String,
        /// The name.
        key: String,
    },
    /// A template makes a key that is not UTF-8.
    #[error(
        "{field}: the template makes a key of {key:?} that is not UTF-8; make it of letters, digits, '-', '_' and '.'"
    )]
    KeyNotText {
        /// The field.
        field: String,
        /// The key before.
        key: String,
    },
    /// A regular expression is not valid.
    #[error("{field}: {error}; write it in the syntax of RE2")]
    Regexp {
        /// The field.
        field: String,
        /// What is wrong.
        error: re2::Error,
    },
    /// The ExternalSecret computes more than one may.
    #[error("{field}: {error}")]
    Budget {
        /// The field at which it is too much.
        field: String,
        /// Which budget.
        error: budget::Exceeded,
    },
    /// A rewrite takes all of a name away, since the replacement names a group that the expression has not.
    #[error(
        "{field}: it makes the key {key:?} empty, since ${name} is a group of that whole name, which the source does not have; {}",
        match meant { Some(meant) => format!("write {meant}"), None => "name one of its groups, such as ${1}".to_owned() }
    )]
    EmptyKey {
        /// The field.
        field: String,
        /// The key before.
        key: String,
        /// The name of the group.
        name: String,
        /// What was meant, if that can be told.
        meant: Option<String>,
    },
    /// A regular expression makes too much of a key.
    #[error("{field}: {error}, for the key {key:?}; make it simpler")]
    RegexpExceeded {
        /// The field.
        field: String,
        /// The key.
        key: String,
        /// What it exceeds.
        error: re2::Exceeded,
    },
    /// A template is not valid.
    #[error("{field}: {error}")]
    Template {
        /// The field.
        field: String,
        /// What is wrong.
        error: template::Error,
    },
    /// A template fails.
    #[error("{field}: for the key {key:?}: {error}")]
    Rendering {
        /// The field.
        field: String,
        /// The key.
        key: String,
        /// Why.
        error: template::Error,
    },
    /// Several values have the same property.
    #[error(
        "{field}: more than one value has {}; set conflictPolicy to Ignore, and priority to the key whose value counts",
        listed(properties)
    )]
    MergeConflict {
        /// The field.
        field: String,
        /// The properties, sorted.
        properties: Vec<String>,
    },
    /// A key of `priority` does not exist.
    #[error(
        "{field}: there is no key {key:?}; name one that the provider gives, or set priorityPolicy to IgnoreNotFound"
    )]
    MergePriority {
        /// The field.
        field: String,
        /// The key.
        key: String,
    },
    /// A value to merge is not a JSON object.
    #[error("{field}: the value for the key {key:?} is not a JSON object; merge takes values that are JSON objects")]
    MergeNotAnObject {
        /// The field.
        field: String,
        /// The key.
        key: String,
    },
    /// A value to merge has a byte order mark before its JSON.
    #[error(
        "{field}: the value for the key {key:?} begins with a byte order mark (U+FEFF), which JSON must not have; store it without"
    )]
    MergeByteOrderMark {
        /// The field.
        field: String,
        /// The key.
        key: String,
    },
    /// The merged object has no key to go to.
    #[error("{field}: it is needed with the strategy JSON; set it to the key for the merged object")]
    MergeInto {
        /// The field.
        field: String,
    },
}

impl DataError {
    /// What `field` asks for is too much.
    pub(super) fn budget(field: &str, error: budget::Exceeded) -> Self {
        Self::Budget { field: field.to_owned(), error }
    }
}

/// The first of some names, as many as a message can hold.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}
