//! What all objects of a vault have: versions, attributes, tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::errors::KeyVaultError;

/// The kinds of objects in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectKind {
    /// A text that can be read.
    Secret,
    /// A key of which only the public part can be read.
    Key,
    /// A certificate, which is also a key and a secret with the same name.
    Certificate,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Key, Self::Certificate];

    /// The collection in a URL: `secrets`.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
            Self::Certificate => "certificates",
        }
    }

    /// The collection of deleted objects: `deletedsecrets`.
    pub(crate) const fn deleted_collection(self) -> &'static str {
        match self {
            Self::Secret => "deletedsecrets",
            Self::Key => "deletedkeys",
            Self::Certificate => "deletedcertificates",
        }
    }

    /// The kind with this collection.
    pub(crate) fn of_collection(collection: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection() == collection)
    }

    /// As a word at the start of a sentence: `Secret`.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Key => "Key",
            Self::Certificate => "Certificate",
        }
    }

    /// As a word inside a sentence: `secret`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
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

/// Attributes in a request. Omitted ones do not change.
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

/// The most tags of an object.
const MOST_TAGS: usize = 15;

/// What can be changed of any object without a new version. Omitted properties do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectProperties {
    /// Whether it can be used, and the intended period of use.
    pub attributes: AttributeChanges,
    /// Names and values that replace the existing tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl ObjectProperties {
    /// Rejects what no object may have.
    pub(crate) fn check(&self) -> Result<(), KeyVaultError> {
        if self.tags.as_ref().is_some_and(|tags| tags.len() > MOST_TAGS) {
            return Err(KeyVaultError::bad_parameter(format!("Too many tags: at most {MOST_TAGS} are allowed.")));
        }
        Ok(())
    }
}

/// One version of an object. `B` is what the kind of object adds.
#[derive(Clone)]
pub(crate) struct Version<B> {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Tags,
    pub(crate) body: B,
}

impl<B> Version<B> {
    /// A version created now.
    pub(crate) fn new(id: String, properties: ObjectProperties, body: B, now: i64) -> Self {
        let attributes = Attributes::new(properties.attributes, now);
        Self { id, attributes, tags: properties.tags.unwrap_or_default(), body }
    }

    /// Changes attributes and tags.
    pub(crate) fn change(&mut self, properties: &ObjectProperties, now: i64) {
        self.attributes.change(properties.attributes, now);
        if let Some(tags) = &properties.tags {
            self.tags.clone_from(tags);
        }
    }
}

/// What an operation needs to know about the vault.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The vault's host.
    pub(crate) host: &'a str,
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) recovery: Recovery,
    /// How many seconds deletion and recovery take.
    pub(crate) transition: i64,
}

impl Setting<'_> {
    /// How many seconds a deleted object is kept.
    pub(crate) fn kept(&self) -> i64 {
        i64::from(self.recovery.days) * 24 * 60 * 60
    }

    /// The identifier of an object, or of one of its versions.
    pub(crate) fn id(&self, kind: ObjectKind, name: &str, version: Option<&str>) -> String {
        let version = version.map(|version| format!("/{version}")).unwrap_or_default();
        format!("https://{}/{}/{name}{version}", self.host, kind.collection())
    }
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

/// Attributes in an answer.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recoverable_days: Option<u8>,
    /// Only for keys: whether the private part can be exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    exportable: Option<bool>,
}

impl AttributesView {
    pub(crate) const fn new(attributes: &Attributes, recovery: Recovery) -> Self {
        Self {
            enabled: attributes.enabled,
            not_before: attributes.not_before,
            expires: attributes.expires,
            created: attributes.created,
            updated: attributes.updated,
            recovery_level: Some(recovery.level()),
            recoverable_days: Some(recovery.days),
            exportable: None,
        }
    }

    /// As in lists of certificates.
    pub(crate) const fn without_recovery(mut self) -> Self {
        self.recovery_level = None;
        self.recoverable_days = None;
        self
    }

    /// With the additional attributes of a key.
    pub(crate) const fn of_key(mut self, exportable: bool) -> Self {
        self.exportable = Some(exportable);
        self
    }
}

/// When a deleted object was deleted and will be purged, in an answer.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletionView {
    pub(crate) recovery_id: String,
    pub(crate) deleted_date: i64,
    pub(crate) scheduled_purge_date: i64,
}
