//! Secrets: the operations of Key Vault's REST API on them.
//!
//! Source: "Azure Key Vault REST API reference", operation group Secrets
//! (<https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups>).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox::ids;

use super::errors::KeyVaultError;
use super::object::{
    AttributeChanges, Attributes, AttributesView, DeletionView, ObjectKind, Recovery, Tags, Version, check_name,
};
use super::paging::{PageRequest, page};
use super::shelf::{Conflict, Deletion, Entry, Shelf};

/// Key Vault takes values up to 25 KB.
const LARGEST_VALUE: usize = 25 * 1024;
/// And content types up to 255 characters.
const LONGEST_CONTENT_TYPE: usize = 255;
/// And 15 tags.
const MOST_TAGS: usize = 15;

/// What a secret has beside an object's versions, attributes and tags.
#[derive(Clone)]
pub(crate) struct SecretBody {
    value: SecretString,
    content_type: Option<String>,
}

/// What of a secret can be changed without a new version; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretProperties {
    /// A note on what the value is, such as `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it can be read, and from when till when it is meant to be used.
    pub attributes: AttributeChanges,
    /// Names and values that replace the tags there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// A request to set a secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetRequest {
    pub(crate) value: Option<String>,
    #[serde(flatten)]
    pub(crate) properties: SecretProperties,
}

/// What an operation needs to know about the vault.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The vault's host.
    pub(crate) host: &'a str,
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) recovery: Recovery,
    /// How many seconds deleting and recovering take.
    pub(crate) transition: i64,
}

impl Setting<'_> {
    fn kept(&self) -> i64 {
        i64::from(self.recovery.days) * 24 * 60 * 60
    }
}

/// A vault's secrets.
pub(crate) type Secrets = Shelf<SecretBody>;

const KIND: ObjectKind = ObjectKind::Secret;

/// A secret as answers give it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    deletion: Option<DeletionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    id: String,
    attributes: AttributesView,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: &'a Tags,
}

/// Whether the id in an answer names the version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IdOf {
    Object,
    Version,
}

impl<'a> Bundle<'a> {
    fn new(entry: &Entry<SecretBody>, version: &'a Version<SecretBody>, setting: &Setting<'_>, id: IdOf) -> Self {
        let mut url = format!("https://{}/secrets/{}", setting.host, entry.name);
        if id == IdOf::Version {
            url.push('/');
            url.push_str(&version.id);
        }
        Self {
            deletion: None,
            value: None,
            content_type: version.body.content_type.as_deref(),
            id: url,
            attributes: AttributesView::new(&version.attributes, setting.recovery),
            tags: &version.tags,
        }
    }

    fn with_value(mut self, version: &'a Version<SecretBody>) -> Self {
        self.value = Some(version.body.value.expose_secret());
        self
    }

    fn with_deletion(mut self, entry: &Entry<SecretBody>, deletion: Deletion, setting: &Setting<'_>) -> Self {
        self.deletion = Some(DeletionView {
            recovery_id: format!("https://{}/deletedsecrets/{}", setting.host, entry.name),
            deleted_date: deletion.deleted,
            scheduled_purge_date: deletion.purged,
        });
        self
    }

    fn json(&self) -> Result<Value, KeyVaultError> {
        serde_json::to_value(self).map_err(|_| KeyVaultError::failed(http::StatusCode::INTERNAL_SERVER_ERROR))
    }
}

fn check(properties: &SecretProperties) -> Result<(), KeyVaultError> {
    if properties.content_type.as_ref().is_some_and(|text| text.chars().count() > LONGEST_CONTENT_TYPE) {
        return Err(KeyVaultError::bad_parameter(format!(
            "The content type is too long: at most {LONGEST_CONTENT_TYPE} characters are allowed."
        )));
    }
    if properties.tags.as_ref().is_some_and(|tags| tags.len() > MOST_TAGS) {
        return Err(KeyVaultError::bad_parameter(format!("Too many tags: at most {MOST_TAGS} are allowed.")));
    }
    Ok(())
}

/// Writes a value as a new version, which becomes the current one; gives that version's id.
pub(crate) fn write(
    secrets: &mut Secrets,
    name: &str,
    value: SecretString,
    properties: SecretProperties,
    now: i64,
) -> Result<String, KeyVaultError> {
    check_name(name)?;
    check(&properties)?;
    if value.expose_secret().len() > LARGEST_VALUE {
        return Err(KeyVaultError::bad_parameter(format!(
            "The secret value is too large: at most {LARGEST_VALUE} bytes are allowed."
        )));
    }
    let id = ids::version();
    let version = Version {
        id: id.clone(),
        attributes: Attributes::new(properties.attributes, now),
        tags: properties.tags.unwrap_or_default(),
        body: SecretBody { value, content_type: properties.content_type },
    };
    secrets.add(name, version, now).map_err(|conflict| KeyVaultError::conflict(KIND, name, conflict))?;
    Ok(id)
}

/// Changes a version, or the current one.
pub(crate) fn change(
    secrets: &mut Secrets,
    name: &str,
    version: Option<&str>,
    properties: SecretProperties,
    now: i64,
) -> Result<(), KeyVaultError> {
    check(&properties)?;
    let entry = secrets.live_mut(name, now).map_err(|conflict| KeyVaultError::conflict(KIND, name, conflict))?;
    let found = entry.version_mut(version).ok_or_else(|| KeyVaultError::not_found(KIND, &path(name, version)))?;
    found.attributes.change(properties.attributes, now);
    if let Some(content_type) = properties.content_type {
        found.body.content_type = Some(content_type);
    }
    if let Some(tags) = properties.tags {
        found.tags = tags;
    }
    Ok(())
}

/// A name, or a name and a version, as refusals write it.
fn path(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}/{version}"))
}

fn find<'a>(
    secrets: &'a Secrets,
    name: &str,
    version: Option<&str>,
    now: i64,
) -> Result<(&'a Entry<SecretBody>, &'a Version<SecretBody>), KeyVaultError> {
    let missing = || KeyVaultError::not_found(KIND, &path(name, version));
    let entry = secrets.live(name, now).map_err(|_| missing())?;
    let found = match version {
        None => entry.current(),
        Some(id) => entry.version(id),
    };
    found.map(|found| (entry, found)).ok_or_else(missing)
}

/// `GET /secrets/{name}[/{version}]`.
pub(crate) fn get(
    secrets: &Secrets,
    name: &str,
    version: Option<&str>,
    setting: &Setting<'_>,
) -> Result<Value, KeyVaultError> {
    let (entry, found) = find(secrets, name, version, setting.now)?;
    if !found.attributes.enabled {
        return Err(KeyVaultError::disabled(KIND));
    }
    Bundle::new(entry, found, setting, IdOf::Version).with_value(found).json()
}

/// `PUT /secrets/{name}`.
pub(crate) fn set(
    secrets: &mut Secrets,
    name: &str,
    request: SetRequest,
    setting: &Setting<'_>,
) -> Result<Value, KeyVaultError> {
    let value = request.value.ok_or_else(|| KeyVaultError::bad_parameter("The parameter value is required."))?;
    let id = write(secrets, name, value.into(), request.properties, setting.now)?;
    let (entry, made) = find(secrets, name, Some(&id), setting.now)?;
    Bundle::new(entry, made, setting, IdOf::Version).with_value(made).json()
}

/// `PATCH /secrets/{name}[/{version}]`.
pub(crate) fn update(
    secrets: &mut Secrets,
    name: &str,
    version: Option<&str>,
    properties: SecretProperties,
    setting: &Setting<'_>,
) -> Result<Value, KeyVaultError> {
    change(secrets, name, version, properties, setting.now)?;
    let (entry, changed) = find(secrets, name, version, setting.now)?;
    Bundle::new(entry, changed, setting, IdOf::Version).json()
}

/// `DELETE /secrets/{name}`.
pub(crate) fn delete(secrets: &mut Secrets, name: &str, setting: &Setting<'_>) -> Result<Value, KeyVaultError> {
    let (entry, deletion) =
        secrets.delete(name, setting.now, setting.transition, setting.kept()).map_err(|conflict| match conflict {
            Conflict::Deleted => KeyVaultError::not_found(KIND, name),
            conflict => KeyVaultError::conflict(KIND, name, conflict),
        })?;
    deleted_bundle(entry, deletion, setting, IdOf::Version)
}

fn deleted_bundle(
    entry: &Entry<SecretBody>,
    deletion: Deletion,
    setting: &Setting<'_>,
    id: IdOf,
) -> Result<Value, KeyVaultError> {
    let version = entry.current().ok_or_else(|| KeyVaultError::not_found(KIND, &entry.name))?;
    Bundle::new(entry, version, setting, id).with_deletion(entry, deletion, setting).json()
}

/// What a conflict means for a request to a deleted object.
fn deleted_conflict(name: &str, conflict: Conflict) -> KeyVaultError {
    match conflict {
        Conflict::NotFound => KeyVaultError::deleted_not_found(KIND, name),
        conflict => KeyVaultError::conflict(KIND, name, conflict),
    }
}

/// `GET /deletedsecrets/{name}`.
pub(crate) fn get_deleted(secrets: &Secrets, name: &str, setting: &Setting<'_>) -> Result<Value, KeyVaultError> {
    let (entry, deletion) =
        secrets.deleted(name, setting.now).map_err(|_| KeyVaultError::deleted_not_found(KIND, name))?;
    deleted_bundle(entry, deletion, setting, IdOf::Version)
}

/// `POST /deletedsecrets/{name}/recover`.
pub(crate) fn recover(secrets: &mut Secrets, name: &str, setting: &Setting<'_>) -> Result<Value, KeyVaultError> {
    let entry =
        secrets.recover(name, setting.now, setting.transition).map_err(|conflict| deleted_conflict(name, conflict))?;
    let version = entry.current().ok_or_else(|| KeyVaultError::not_found(KIND, name))?;
    Bundle::new(entry, version, setting, IdOf::Version).json()
}

/// `DELETE /deletedsecrets/{name}`.
pub(crate) fn purge(secrets: &mut Secrets, name: &str, setting: &Setting<'_>) -> Result<(), KeyVaultError> {
    if setting.recovery.purge_protection {
        secrets.deleted(name, setting.now).map_err(|conflict| deleted_conflict(name, conflict))?;
        return Err(KeyVaultError::forbidden(
            "ForbiddenByPolicy",
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault.",
        ));
    }
    secrets.purge(name, setting.now).map_err(|conflict| deleted_conflict(name, conflict))
}

/// A list of any kind: `link` makes the next page's address of its token.
pub(crate) fn list(
    secrets: &Secrets,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Value {
    let items = secrets.live_after(request.after.as_deref(), setting.now).filter_map(|entry| {
        let item = Bundle::new(entry, entry.current()?, setting, IdOf::Object).json().ok()?;
        Some((entry.name.clone(), item))
    });
    json!(page(items, request.size, link))
}

/// `GET /deletedsecrets`.
pub(crate) fn list_deleted(
    secrets: &Secrets,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Value {
    let items = secrets.deleted_after(request.after.as_deref(), setting.now).filter_map(|(entry, deletion)| {
        let item = deleted_bundle(entry, deletion, setting, IdOf::Object).ok()?;
        Some((entry.name.clone(), item))
    });
    json!(page(items, request.size, link))
}

/// `GET /secrets/{name}/versions`: in the order of their ids, which says nothing about their age.
pub(crate) fn list_versions(
    secrets: &Secrets,
    name: &str,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Result<Value, KeyVaultError> {
    let (entry, _) = find(secrets, name, None, setting.now)?;
    let mut versions: Vec<_> =
        entry.versions().iter().filter(|version| request.after.as_ref().is_none_or(|id| version.id > *id)).collect();
    versions.sort_by(|left, right| left.id.cmp(&right.id));
    let items = versions.into_iter().filter_map(|version| {
        let item = Bundle::new(entry, version, setting, IdOf::Version).json().ok()?;
        Some((version.id.clone(), item))
    });
    Ok(json!(page(items, request.size, link)))
}
