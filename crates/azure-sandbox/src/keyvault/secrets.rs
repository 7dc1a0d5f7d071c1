//! Secrets: the parts of Key Vault's REST API that objects do not have in common.
//!
//! Source: "Azure Key Vault REST API reference", operation group Secrets
//! (<https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups>).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::ids;

use super::errors::KeyVaultError;
use super::lifecycle::{Body, Form, Shown, add, change, check_unmanaged, show};
use super::object::{
    AttributeChanges, AttributesView, ObjectKind, ObjectProperties, Setting, Tags, Version, check_name,
};
use super::shelf::Shelf;

/// The largest value that Key Vault accepts: 25 KB.
const LARGEST_VALUE: usize = 25 * 1024;
/// The longest content type.
const LONGEST_CONTENT_TYPE: usize = 255;

/// What a secret has in addition to an object's versions, attributes and tags.
#[derive(Clone)]
pub(crate) struct SecretBody {
    pub(crate) value: SecretString,
    pub(crate) content_type: Option<String>,
    /// Whether it belongs to a certificate.
    pub(crate) managed: bool,
}

/// What can be changed of a secret without a new version. Omitted properties do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretProperties {
    /// A description of the value, such as `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it can be read, and the intended period of use.
    pub attributes: AttributeChanges,
    /// Names and values that replace the existing tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl SecretProperties {
    fn split(self) -> (Option<String>, ObjectProperties) {
        (self.content_type, ObjectProperties { attributes: self.attributes, tags: self.tags })
    }
}

/// A request to set a secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetRequest {
    pub(crate) value: Option<String>,
    #[serde(flatten)]
    pub(crate) properties: SecretProperties,
}

/// A vault's secrets.
pub(crate) type Secrets = Shelf<SecretBody>;

/// A secret in an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed: Option<bool>,
    attributes: AttributesView,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: &'a Tags,
    /// The certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

impl Body for SecretBody {
    const KIND: ObjectKind = ObjectKind::Secret;

    type View<'a> = SecretView<'a>;

    fn view<'a>(shown: &Shown<'a, Self>) -> SecretView<'a> {
        let Version { tags, body, .. } = shown.version;
        SecretView {
            value: (shown.form == Form::Whole).then(|| body.value.expose_secret()),
            content_type: body.content_type.as_deref(),
            id: shown.id(),
            managed: shown.managed(),
            attributes: shown.attributes(),
            tags,
            kid: (body.managed && !shown.is_item()).then(|| shown.id_as(ObjectKind::Key)),
        }
    }

    fn is_managed(&self) -> bool {
        self.managed
    }

    fn hides_when_disabled() -> Option<KeyVaultError> {
        Some(KeyVaultError::secret_disabled())
    }
}

fn check_content_type(content_type: Option<&str>) -> Result<(), KeyVaultError> {
    if content_type.is_some_and(|text| text.chars().count() > LONGEST_CONTENT_TYPE) {
        return Err(KeyVaultError::bad_parameter(format!(
            "The content type is too long: at most {LONGEST_CONTENT_TYPE} characters are allowed."
        )));
    }
    Ok(())
}

/// Writes a value as a new version, which becomes the current one. Returns the version's ID.
pub(crate) fn write(
    secrets: &mut Secrets,
    name: &str,
    value: SecretString,
    properties: SecretProperties,
    now: i64,
) -> Result<String, KeyVaultError> {
    check_name(name)?;
    check_unmanaged(secrets, name, "set", now)?;
    let (content_type, properties) = properties.split();
    check_content_type(content_type.as_deref())?;
    properties.check()?;
    if value.expose_secret().len() > LARGEST_VALUE {
        return Err(KeyVaultError::bad_parameter(format!(
            "The secret value is too large: at most {LARGEST_VALUE} bytes are allowed."
        )));
    }
    let id = ids::version();
    let body = SecretBody { value, content_type, managed: false };
    add(secrets, name, Version::new(id.clone(), properties, body, now), now)?;
    Ok(id)
}

/// Changes a version, or the current one.
pub(crate) fn modify(
    secrets: &mut Secrets,
    name: &str,
    version: Option<&str>,
    properties: SecretProperties,
    now: i64,
) -> Result<(), KeyVaultError> {
    check_unmanaged(secrets, name, "update", now)?;
    let (content_type, properties) = properties.split();
    check_content_type(content_type.as_deref())?;
    let changed = change(secrets, name, version, &properties, now)?;
    if content_type.is_some() {
        changed.body.content_type = content_type;
    }
    Ok(())
}

/// `PUT /secrets/NAME`.
pub(crate) fn set(
    secrets: &mut Secrets,
    name: &str,
    request: SetRequest,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let value = request.value.ok_or_else(|| KeyVaultError::bad_parameter("The parameter value is required."))?;
    let id = write(secrets, name, value.into(), request.properties, setting.now)?;
    show(secrets, name, Some(&id), Form::Whole, setting)
}

/// `PATCH /secrets/NAME[/VERSION]`.
pub(crate) fn update(
    secrets: &mut Secrets,
    name: &str,
    version: Option<&str>,
    properties: SecretProperties,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    modify(secrets, name, version, properties, setting.now)?;
    show(secrets, name, version, Form::Bundle, setting)
}
