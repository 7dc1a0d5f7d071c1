//! Keys: the parts of Key Vault's REST API that objects do not have in common.
//!
//! Only public parts are kept, so nothing can be signed or decrypted.
//!
//! Source: "Azure Key Vault REST API reference", operation group Keys
//! (<https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>).

use serde::{Deserialize, Serialize};

use crate::ids;

use super::errors::KeyVaultError;
use super::jwk::{KeyKind, PublicKey, malformed};
use super::lifecycle::{Body, Form, Shown, add, change, check_unmanaged, show};
use super::object::{AttributesView, ObjectKind, ObjectProperties, Setting, Tags, Version, check_name};
use super::shelf::Shelf;

/// What a key may be used for, in the words of RFC 7517, section 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KeyOperation {
    Encrypt,
    Decrypt,
    Sign,
    Verify,
    WrapKey,
    UnwrapKey,
    Import,
    Export,
}

impl KeyOperation {
    /// The default operations of a key.
    fn default_for(key: &PublicKey) -> Vec<Self> {
        match key {
            PublicKey::Rsa { .. } => {
                vec![Self::Encrypt, Self::Decrypt, Self::Sign, Self::Verify, Self::WrapKey, Self::UnwrapKey]
            }
            PublicKey::Ec { .. } => vec![Self::Sign, Self::Verify],
        }
    }
}

/// What a key has in addition to an object's versions, attributes and tags.
#[derive(Clone)]
pub(crate) struct KeyBody {
    public: PublicKey,
    operations: Vec<KeyOperation>,
    exportable: bool,
    /// Whether it belongs to a certificate.
    managed: bool,
}

impl KeyBody {
    /// A certificate's key.
    pub(crate) fn of_certificate(public: PublicKey) -> Self {
        let operations = KeyOperation::default_for(&public);
        Self { public, operations, exportable: true, managed: true }
    }
}

/// A vault's keys.
pub(crate) type Keys = Shelf<KeyBody>;

/// A key in an answer: a bundle, or an item of a list.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum KeyView<'a> {
    Bundle {
        key: JsonWebKey<'a>,
        #[serde(flatten)]
        common: CommonView<'a>,
    },
    Item {
        kid: String,
        #[serde(flatten)]
        common: CommonView<'a>,
    },
}

#[derive(Serialize)]
pub(crate) struct CommonView<'a> {
    attributes: AttributesView,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: &'a Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed: Option<bool>,
}

#[derive(Serialize)]
pub(crate) struct JsonWebKey<'a> {
    kid: String,
    kty: &'static str,
    key_ops: &'a [KeyOperation],
    #[serde(flatten)]
    public: &'a PublicKey,
}

impl Body for KeyBody {
    const KIND: ObjectKind = ObjectKind::Key;

    type View<'a> = KeyView<'a>;

    fn view<'a>(shown: &Shown<'a, Self>) -> KeyView<'a> {
        let Version { tags, body, .. } = shown.version;
        let common =
            CommonView { attributes: shown.attributes().of_key(body.exportable), tags, managed: shown.managed() };
        if shown.is_item() {
            return KeyView::Item { kid: shown.id(), common };
        }
        let key = JsonWebKey {
            kid: shown.id(),
            kty: body.public.key_type(),
            key_ops: &body.operations,
            public: &body.public,
        };
        KeyView::Bundle { key, common }
    }

    fn is_managed(&self) -> bool {
        self.managed
    }
}

/// A request to create or change a key: `key_ops`, attributes and tags.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyRequest {
    kty: Option<String>,
    key_size: Option<u32>,
    crv: Option<String>,
    key_ops: Option<Vec<KeyOperation>>,
    #[serde(flatten)]
    properties: ObjectProperties,
}

/// A request to import a key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImportRequest {
    key: ImportedKey,
    #[serde(flatten)]
    properties: ObjectProperties,
}

/// A JSON Web Key from a client. Its private part is ignored.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImportedKey {
    kty: String,
    #[serde(default)]
    key_ops: Option<Vec<KeyOperation>>,
    #[serde(flatten)]
    public: PublicKey,
}

/// A key that can be added to a vault.
pub(crate) struct NewKey {
    public: PublicKey,
    operations: Vec<KeyOperation>,
    properties: ObjectProperties,
}

impl NewKey {
    fn of(public: PublicKey, operations: Option<Vec<KeyOperation>>, properties: ObjectProperties) -> Self {
        let operations = operations.unwrap_or_else(|| KeyOperation::default_for(&public));
        Self { public, operations, properties }
    }

    /// Generates a key, which takes a moment for RSA.
    pub(crate) fn generate(kind: KeyKind, properties: ObjectProperties) -> Result<Self, KeyVaultError> {
        Ok(Self::of(PublicKey::generate(kind)?, None, properties))
    }

    /// Generates the key that a request asks for.
    pub(crate) fn create(request: KeyRequest) -> Result<Self, KeyVaultError> {
        let kind = KeyKind::parse(request.kty.as_deref(), request.key_size, request.crv.as_deref())?;
        Ok(Self::of(PublicKey::generate(kind)?, request.key_ops, request.properties))
    }

    /// Imports a JSON Web Key.
    pub(crate) fn of_jwk(jwk: &serde_json::Value, properties: ObjectProperties) -> Result<Self, KeyVaultError> {
        let key = ImportedKey::deserialize(jwk).map_err(|_| malformed())?;
        Self::import(ImportRequest { key, properties })
    }

    /// Imports a client's key.
    pub(crate) fn import(request: ImportRequest) -> Result<Self, KeyVaultError> {
        let ImportedKey { kty, key_ops, public } = request.key;
        if kty != public.key_type() {
            return Err(KeyVaultError::bad_parameter(format!(
                "The key type {kty} is not supported by this vault, or does not fit the key's other fields."
            )));
        }
        public.check()?;
        Ok(Self::of(public, key_ops, request.properties))
    }
}

/// Adds a key as a new version, which becomes the current one. Returns the version's ID.
pub(crate) fn write(keys: &mut Keys, name: &str, new: NewKey, now: i64) -> Result<String, KeyVaultError> {
    check_name(name)?;
    check_unmanaged(keys, name, "create", now)?;
    new.properties.check()?;
    let id = ids::version();
    let body = KeyBody { public: new.public, operations: new.operations, exportable: false, managed: false };
    add(keys, name, Version::new(id.clone(), new.properties, body, now), now)?;
    Ok(id)
}

/// `POST /keys/NAME/create`, `PUT /keys/NAME`.
pub(crate) fn put(keys: &mut Keys, name: &str, new: NewKey, setting: &Setting<'_>) -> Result<String, KeyVaultError> {
    let id = write(keys, name, new, setting.now)?;
    show(keys, name, Some(&id), Form::Bundle, setting)
}

/// `PATCH /keys/NAME[/VERSION]`.
pub(crate) fn update(
    keys: &mut Keys,
    name: &str,
    version: Option<&str>,
    request: KeyRequest,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    check_unmanaged(keys, name, "update", setting.now)?;
    let changed = change(keys, name, version, &request.properties, setting.now)?;
    if let Some(operations) = request.key_ops {
        changed.body.operations = operations;
    }
    show(keys, name, version, Form::Bundle, setting)
}
