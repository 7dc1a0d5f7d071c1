//! The documents for the contents of a vault: secrets, keys and certificates.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::SandboxError;
use crate::keyvault::certificates::{ImportRequest, NewCertificate};
use crate::keyvault::jwk::KeyKind;
use crate::keyvault::keys::NewKey;
use crate::keyvault::material::CertificateFormat;
use crate::keyvault::object::{AttributeChanges, ObjectProperties};
use crate::keyvault::policy::{AlternativeNames, CertificatePolicy};
use crate::keyvault::secrets::SecretProperties;
use crate::keyvault::vault::Vault;

/// A secret: only its value, or with other properties.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum SecretDocument {
    /// The value.
    Value(String),
    /// The value with content type, attributes and tags.
    Full(FullSecretDocument),
}

impl std::fmt::Debug for SecretDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretDocument")
    }
}

/// A secret with other properties.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FullSecretDocument {
    /// The value.
    value: String,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    attributes: AttributeChanges,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

/// A key, which is generated unless `jwk` is given: RSA with 2048 bits by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyDocument {
    /// The key itself as a JSON Web Key.
    pub jwk: Option<serde_json::Value>,
    /// `RSA` or `EC`.
    pub kty: Option<String>,
    /// 2048, 3072 or 4096.
    pub key_size: Option<u32>,
    /// `P-256`, `P-256K`, `P-384` or `P-521`.
    pub crv: Option<String>,
    /// Whether it can be used, and when.
    pub attributes: AttributeChanges,
    /// Names and values.
    pub tags: Option<BTreeMap<String, String>>,
}

/// A certificate, which is generated and self-signed unless `value` is given: by default with RSA and 2048 bits, for
/// `CN=NAME`, valid for 12 months.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CertificateDocument {
    /// The certificate itself with its private key: PEM, or PFX in base64.
    pub value: Option<String>,
    /// The password of a PFX.
    pub password: Option<String>,
    /// Such as `CN=www.example.com`.
    pub subject: Option<String>,
    /// Host names in addition to the subject.
    pub dns_names: Vec<String>,
    /// How long it is valid.
    pub validity_months: Option<u32>,
    /// `RSA` or `EC`.
    pub kty: Option<String>,
    /// 2048, 3072 or 4096.
    pub key_size: Option<u32>,
    /// `P-256`, `P-384` or `P-521`.
    pub crv: Option<String>,
    /// The form of its secret: `application/x-pkcs12` or `application/x-pem-file`.
    pub content_type: Option<CertificateFormat>,
    /// Whether it is enabled.
    pub attributes: AttributeChanges,
    /// Names and values.
    pub tags: Option<BTreeMap<String, String>>,
}

impl std::fmt::Debug for CertificateDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CertificateDocument").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl SecretDocument {
    /// Writes it. Returns the version.
    pub(crate) fn write(&self, vault: &Vault, name: &str) -> Result<String, SandboxError> {
        let (value, properties) = match self {
            Self::Value(value) => (value, SecretProperties::default()),
            Self::Full(full) => (
                &full.value,
                SecretProperties {
                    content_type: full.content_type.clone(),
                    attributes: full.attributes,
                    tags: full.tags.clone(),
                },
            ),
        };
        Ok(vault.set_secret_with(name, value, properties)?)
    }
}

impl KeyDocument {
    /// Writes it. Returns the version.
    pub(crate) fn write(&self, vault: &Vault, name: &str) -> Result<String, SandboxError> {
        let properties = ObjectProperties { attributes: self.attributes, tags: self.tags.clone() };
        let new = if let Some(jwk) = &self.jwk {
            NewKey::of_jwk(jwk, properties)?
        } else {
            let kind = KeyKind::parse(self.kty.as_deref(), self.key_size, self.crv.as_deref())?;
            NewKey::generate(kind, properties)?
        };
        Ok(vault.add_key(name, new)?)
    }
}

impl CertificateDocument {
    /// Writes it. Returns the version.
    pub(crate) fn write(&self, vault: &Vault, name: &str) -> Result<String, SandboxError> {
        let properties = ObjectProperties { attributes: self.attributes, tags: self.tags.clone() };
        let Some(value) = &self.value else {
            return Ok(vault.create_certificate_with(name, self.policy(name), properties)?);
        };
        let mut request = ImportRequest::new(value, self.password.as_deref(), properties);
        if self.content_type.is_some() {
            request = request.with_policy(self.policy(name));
        }
        Ok(vault.add_certificate(name, NewCertificate::import(request)?)?)
    }

    fn policy(&self, name: &str) -> CertificatePolicy {
        let mut policy = CertificatePolicy::default();
        policy.key_props.kty.clone_from(&self.kty);
        policy.key_props.key_size = self.key_size;
        policy.key_props.crv.clone_from(&self.crv);
        policy.secret_props.content_type = self.content_type;
        policy.x509_props.subject = self.subject.clone().unwrap_or_else(|| format!("CN={name}"));
        policy.x509_props.validity_months = self.validity_months;
        if !self.dns_names.is_empty() {
            let names = AlternativeNames { dns_names: self.dns_names.clone(), ..AlternativeNames::default() };
            policy.x509_props.sans = Some(names);
        }
        policy
    }
}
