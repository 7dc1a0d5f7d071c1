//! What all objects of a vault have: versions, attributes, tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::errors::KeyVaultError;

/// The kinds of objects that a vault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ObjectKind {
    Secret,
}

impl ObjectKind {
    /// The collection in a URL: `secrets`.
    pub(crate) const fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
        }
    }

    /// The collection of deleted ones: `deletedsecrets`.
    pub(crate) const fn deleted_collection(self) -> &'static str {
        match self {
            Self::Secret => "deletedsecrets",
        }
    }

    /// As a word at the start of a sentence: `Secret`.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
        }
    }

    /// As a word within a sentence: `secret`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
        }
    }
}

/// An object's name in a vault: 1 to 127 letters, digits and hyphens.
///
/// Source: "Azure Key Vault keys, secrets and certificates overview", object identifiers.
pub(crate) fn check_name(name: &str) -> Result<(), KeyVaultError> {
    let fits = (1..=127).contains(&name.len())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    if fits { Ok(()) } else { Err(KeyVaultError::invalid_name(name)) }
}

/// Attributes as a request gives them: what is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttributeChanges {
    /// Whether the version can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not before: seconds since 1970.
    #[serde(rename = "nbf", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// Expires: seconds since 1970.
    #[serde(rename = "exp", skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

/// A version's attributes. Times are whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) enabled: bool,
    pub(crate) not_before: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

impl Attributes {
    pub(crate) const fn new(changes: AttributeChanges, now: i64) -> Self {
        Self {
            enabled: match changes.enabled {
                Some(enabled) => enabled,
                None => true,
            },
            not_before: changes.not_before,
            expires: changes.expires,
            created: now,
            updated: now,
        }
    }

    pub(crate) fn change(&mut self, changes: AttributeChanges, now: i64) {
        self.enabled = changes.enabled.unwrap_or(self.enabled);
        self.not_before = changes.not_before.or(self.not_before);
        self.expires = changes.expires.or(self.expires);
        self.updated = now;
    }
}

/// Tags: names and values.
pub(crate) type Tags = BTreeMap<String, String>;

/// One version of an object. `B` is what the kind of object adds.
#[derive(Clone)]
pub(crate) struct Version<B> {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Tags,
    pub(crate) body: B,
}

/// How long deleted objects can be recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// 7 to 90.
    pub(crate) days: u8,
    /// Whether purging is forbidden.
    pub(crate) purge_protection: bool,
}

impl Recovery {
    /// The value of `recoveryLevel`.
    const fn level(self) -> &'static str {
        match (self.days == 90, self.purge_protection) {
            (true, false) => "Recoverable+Purgeable",
            (true, true) => "Recoverable",
            (false, false) => "CustomizedRecoverable+Purgeable",
            (false, true) => "CustomizedRecoverable",
        }
    }
}

/// Attributes as an answer gives them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttributesView {
    enabled: bool,
    #[serde(rename = "nbf", skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(rename = "exp", skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    created: i64,
    updated: i64,
    recovery_level: &'static str,
    recoverable_days: u8,
}

impl AttributesView {
    pub(crate) const fn new(attributes: &Attributes, recovery: Recovery) -> Self {
        Self {
            enabled: attributes.enabled,
            not_before: attributes.not_before,
            expires: attributes.expires,
            created: attributes.created,
            updated: attributes.updated,
            recovery_level: recovery.level(),
            recoverable_days: recovery.days,
        }
    }
}

/// When a deleted object was deleted and will be purged, as answers give it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletionView {
    pub(crate) recovery_id: String,
    pub(crate) deleted_date: i64,
    pub(crate) scheduled_purge_date: i64,
}
