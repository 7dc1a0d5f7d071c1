//! The policy of a certificate: how it was, and will be, created.
//!
//! Source: "About Azure Key Vault certificates", certificate policy
//! (<https://learn.microsoft.com/azure/key-vault/certificates/about-certificates>); the field names are
//! those of the REST API, which writes most of them with underscores.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, KeyUsage};

use super::jwk::PublicKey;
use super::material::CertificateFormat;

/// How to create a certificate. Omitted fields have Key Vault's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificatePolicy {
    /// The key.
    pub key_props: KeyPolicy,
    /// The secret.
    pub secret_props: SecretPolicy,
    /// The content of the certificate.
    pub x509_props: X509Policy,
    /// What should happen before it expires. Kept but never done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_actions: Option<Value>,
    /// The issuer. Only `Self` is emulated, and `Unknown` for imported certificates.
    pub issuer: IssuerPolicy,
}

/// The key of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyPolicy {
    /// Whether the secret has the private key, which is always the case here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// `RSA` or `EC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kty: Option<String>,
    /// 2048, 3072 or 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u32>,
    /// `P-256`, `P-384` or `P-521`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Whether the next version keeps the key, which is never the case here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<bool>,
}

/// The secret of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretPolicy {
    /// The format in which the certificate and its private key can be read.
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<CertificateFormat>,
}

/// The content of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct X509Policy {
    /// Such as `CN=www.example.com, O=Example`.
    pub subject: String,
    /// Other names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sans: Option<AlternativeNames>,
    /// Object identifiers of extended key usages; by default those of TLS servers and clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ekus: Option<Vec<String>>,
    /// Such as `digitalSignature`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<Vec<String>>,
    /// 12 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_months: Option<u32>,
}

/// Alternative names of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlternativeNames {
    /// Host names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// Mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
}

/// Who issues a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuerPolicy {
    /// `Self` or `Unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Key Vault's names for the bits of a key usage, with a test for each.
type UsageTest = (&'static str, fn(&KeyUsage) -> bool);
const USAGES: [UsageTest; 9] = [
    ("digitalSignature", KeyUsage::digital_signature),
    ("nonRepudiation", KeyUsage::non_repudiation),
    ("keyEncipherment", KeyUsage::key_encipherment),
    ("dataEncipherment", KeyUsage::data_encipherment),
    ("keyAgreement", KeyUsage::key_agreement),
    ("keyCertSign", KeyUsage::key_cert_sign),
    ("cRLSign", KeyUsage::crl_sign),
    ("encipherOnly", KeyUsage::encipher_only),
    ("decipherOnly", KeyUsage::decipher_only),
];

impl CertificatePolicy {
    /// A policy for a self-signed certificate with a subject such as `CN=www.example.com`.
    #[must_use]
    pub fn self_signed(subject: &str) -> Self {
        let mut policy = Self::default();
        subject.clone_into(&mut policy.x509_props.subject);
        policy.issuer.name = Some("Self".to_owned());
        policy
    }

    /// The policy that matches an existing certificate.
    pub(crate) fn of(certificate: &X509Certificate<'_>, format: CertificateFormat) -> Self {
        let usage = certificate.key_usage().ok().flatten();
        let seconds = certificate.validity().not_after.timestamp() - certificate.validity().not_before.timestamp();
        Self {
            key_props: KeyPolicy::default(),
            secret_props: SecretPolicy { content_type: Some(format) },
            x509_props: X509Policy {
                subject: certificate.subject().to_string(),
                sans: AlternativeNames::of(certificate),
                ekus: Some(extended_usages(certificate)),
                key_usage: usage.map(|usage| {
                    USAGES.iter().filter(|(_, test)| test(usage.value)).map(|(word, _)| (*word).to_owned()).collect()
                }),
                validity_months: u32::try_from(seconds / (30 * 24 * 60 * 60)).ok(),
            },
            lifetime_actions: Some(json!([{
                "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "EmailContacts" },
            }])),
            issuer: IssuerPolicy { name: Some("Unknown".to_owned()) },
        }
    }

    /// With the secret and renewal of another policy, as given by an import.
    pub(crate) fn overridden(mut self, other: Option<Self>) -> Self {
        if let Some(Self { secret_props, lifetime_actions, issuer, .. }) = other {
            self.change(Self { secret_props, lifetime_actions, issuer, ..Self::default() });
        }
        self
    }

    /// With Key Vault's defaults for omitted fields.
    pub(crate) fn with_defaults(mut self) -> Self {
        self.secret_props.content_type.get_or_insert_default();
        let x509 = &mut self.x509_props;
        x509.ekus.get_or_insert_with(|| vec!["1.3.6.1.5.5.7.3.1".to_owned(), "1.3.6.1.5.5.7.3.2".to_owned()]);
        x509.key_usage.get_or_insert_with(|| vec!["digitalSignature".to_owned(), "keyEncipherment".to_owned()]);
        x509.validity_months.get_or_insert(12);
        self.lifetime_actions.get_or_insert_with(
            || json!([{ "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "AutoRenew" } }]),
        );
        self.issuer.name.get_or_insert_with(|| "Self".to_owned());
        self
    }

    /// With the properties of the existing key.
    pub(crate) fn with_key(mut self, public: &PublicKey) -> Self {
        self.key_props = KeyPolicy::of(public);
        self
    }

    /// Adopts the fields of another policy; omitted ones do not change.
    pub(crate) fn change(&mut self, other: Self) {
        let Self { key_props, secret_props, x509_props, lifetime_actions, issuer } = other;
        replace(&mut self.key_props.kty, key_props.kty);
        replace(&mut self.key_props.key_size, key_props.key_size);
        replace(&mut self.key_props.crv, key_props.crv);
        replace(&mut self.key_props.exportable, key_props.exportable);
        replace(&mut self.key_props.reuse_key, key_props.reuse_key);
        replace(&mut self.secret_props.content_type, secret_props.content_type);
        if !x509_props.subject.is_empty() {
            self.x509_props.subject = x509_props.subject;
        }
        replace(&mut self.x509_props.sans, x509_props.sans);
        replace(&mut self.x509_props.ekus, x509_props.ekus);
        replace(&mut self.x509_props.key_usage, x509_props.key_usage);
        replace(&mut self.x509_props.validity_months, x509_props.validity_months);
        replace(&mut self.lifetime_actions, lifetime_actions);
        replace(&mut self.issuer.name, issuer.name);
    }

    /// The format of the secret.
    pub(crate) fn format(&self) -> CertificateFormat {
        self.secret_props.content_type.unwrap_or_default()
    }
}

/// Replaces a value if a new one is given.
fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

impl KeyPolicy {
    fn of(public: &PublicKey) -> Self {
        Self {
            exportable: Some(true),
            kty: Some(public.key_type().to_owned()),
            key_size: public.bits(),
            crv: public.curve().map(str::to_owned),
            reuse_key: Some(false),
        }
    }
}

impl AlternativeNames {
    fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let mut names = Self::default();
        for name in &certificate.subject_alternative_name().ok().flatten()?.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.dns_names.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => names.emails.push((*name).to_owned()),
                _ => {}
            }
        }
        Some(names)
    }
}

fn extended_usages(certificate: &X509Certificate<'_>) -> Vec<String> {
    const KNOWN: [&str; 6] = [
        "1.3.6.1.5.5.7.3.1",
        "1.3.6.1.5.5.7.3.2",
        "1.3.6.1.5.5.7.3.3",
        "1.3.6.1.5.5.7.3.4",
        "1.3.6.1.5.5.7.3.8",
        "1.3.6.1.5.5.7.3.9",
    ];
    let Some(usage) = certificate.extended_key_usage().ok().flatten().map(|extension| extension.value) else {
        return Vec::new();
    };
    let flags = [
        usage.server_auth,
        usage.client_auth,
        usage.code_signing,
        usage.email_protection,
        usage.time_stamping,
        usage.ocsp_signing,
    ];
    let known = KNOWN.into_iter().zip(flags).filter(|(_, set)| *set).map(|(id, _)| id.to_owned());
    known.chain(usage.other.iter().map(x509_parser::oid_registry::Oid::to_id_string)).collect()
}
