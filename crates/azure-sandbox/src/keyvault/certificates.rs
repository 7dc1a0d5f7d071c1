//! Certificates: the parts of Key Vault's REST API that objects do not have in common. A certificate is also a key and
//! a secret with the same name, versions, attributes and tags.
//!
//! Sources: "Azure Key Vault REST API reference", operation group Certificates
//! (<https://learn.microsoft.com/rest/api/keyvault/certificates/operation-groups>); "About Azure Key Vault
//! certificates", composition of a certificate
//! (<https://learn.microsoft.com/azure/key-vault/certificates/about-certificates>).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::ids;

use super::errors::KeyVaultError;
use super::issuing::issue;
use super::jwk::PublicKey;
use super::keys::KeyBody;
use super::lifecycle::{self, Body, Form, Shown, add, find, show, text};
use super::material::Material;
use super::object::{AttributesView, ObjectKind, ObjectProperties, Setting, Tags, Version, check_name};
use super::objects::Objects;
use super::policy::{CertificatePolicy, IssuerPolicy};
use super::secrets::SecretBody;
use super::shelf::{Entry, Shelf};

/// What a certificate has in addition to an object's versions, attributes and tags.
#[derive(Clone)]
pub(crate) struct CertificateBody {
    der: Vec<u8>,
    policy: CertificatePolicy,
    /// When the policy was created and changed, in seconds since 1970.
    policy_times: PolicyTimes,
    /// The operation that created it; `None` for an imported one.
    pending: Option<Pending>,
}

#[derive(Clone, Copy, Serialize)]
struct PolicyTimes {
    enabled: bool,
    created: i64,
    updated: i64,
}

#[derive(Clone)]
struct Pending {
    id: String,
    /// PKCS#10 in DER.
    request: Vec<u8>,
}

/// A vault's certificates.
pub(crate) type Certificates = Shelf<CertificateBody>;

/// A certificate in an answer: a bundle, or an item of a list.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum CertificateView<'a> {
    Bundle {
        id: String,
        kid: String,
        sid: String,
        x5t: String,
        cer: String,
        attributes: AttributesView,
        #[serde(skip_serializing_if = "Tags::is_empty")]
        tags: &'a Tags,
        policy: PolicyView<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pending: Option<PendingLink>,
    },
    Item {
        id: String,
        x5t: String,
        attributes: AttributesView,
        #[serde(skip_serializing_if = "Tags::is_empty")]
        tags: &'a Tags,
        /// Key Vault leaves it empty.
        subject: &'static str,
    },
}

#[derive(Serialize)]
pub(crate) struct PolicyView<'a> {
    id: String,
    #[serde(flatten)]
    policy: &'a CertificatePolicy,
    attributes: PolicyTimes,
}

#[derive(Serialize)]
pub(crate) struct PendingLink {
    id: String,
}

/// The operation that created a certificate, in an answer.
#[derive(Serialize)]
struct PendingView<'a> {
    id: String,
    issuer: &'a IssuerPolicy,
    csr: String,
    cancellation_requested: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_details: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    request_id: &'a str,
}

fn policy_view<'a>(name: &str, body: &'a CertificateBody, setting: &Setting<'_>) -> PolicyView<'a> {
    let id = setting.id(ObjectKind::Certificate, name, Some("policy"));
    PolicyView { id, policy: &body.policy, attributes: body.policy_times }
}

impl Body for CertificateBody {
    const KIND: ObjectKind = ObjectKind::Certificate;

    type View<'a> = CertificateView<'a>;

    fn view<'a>(shown: &Shown<'a, Self>) -> CertificateView<'a> {
        let Version { tags, body, .. } = shown.version;
        let (id, attributes) = (shown.id(), shown.attributes());
        let x5t = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &body.der));
        if shown.is_item() {
            return CertificateView::Item { id, x5t, attributes: attributes.without_recovery(), tags, subject: "" };
        }
        let pending = body.pending.as_ref().map(|_| pending_id(shown.name, shown.setting));
        CertificateView::Bundle {
            id,
            kid: shown.id_as(ObjectKind::Key),
            sid: shown.id_as(ObjectKind::Secret),
            x5t,
            cer: BASE64_STANDARD.encode(&body.der),
            attributes,
            tags,
            policy: policy_view(shown.name, body, shown.setting),
            pending: pending.map(|id| PendingLink { id }),
        }
    }
}

fn pending_id(name: &str, setting: &Setting<'_>) -> String {
    setting.id(ObjectKind::Certificate, name, Some("pending"))
}

/// A request to create a certificate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CreateRequest {
    policy: CertificatePolicy,
    #[serde(flatten)]
    properties: ObjectProperties,
}

/// A request to import a certificate.
#[derive(Deserialize)]
pub(crate) struct ImportRequest {
    value: String,
    #[serde(default)]
    pwd: Option<String>,
    #[serde(default)]
    policy: Option<CertificatePolicy>,
    #[serde(flatten)]
    properties: ObjectProperties,
}

/// A request to change a version.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UpdateRequest {
    policy: Option<CertificatePolicy>,
    #[serde(flatten)]
    properties: ObjectProperties,
}

/// A certificate that can be added to a vault.
pub(crate) struct NewCertificate {
    der: Vec<u8>,
    public: PublicKey,
    secret: SecretString,
    policy: CertificatePolicy,
    pending: Option<Pending>,
    properties: ObjectProperties,
}

impl ImportRequest {
    /// PEM, or PFX in base64 with its password.
    pub(crate) fn new(value: &str, password: Option<&str>, properties: ObjectProperties) -> Self {
        Self { value: value.to_owned(), pwd: password.map(str::to_owned), policy: None, properties }
    }

    /// With a policy that determines the secret's format.
    pub(crate) fn with_policy(mut self, policy: CertificatePolicy) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl NewCertificate {
    /// Creates the certificate that a request asks for.
    pub(crate) fn create(request: CreateRequest, now: i64) -> Result<Self, KeyVaultError> {
        Self::issue(request.policy, request.properties, now)
    }

    /// Generates a key and a self-signed certificate for it.
    pub(crate) fn issue(
        policy: CertificatePolicy,
        properties: ObjectProperties,
        now: i64,
    ) -> Result<Self, KeyVaultError> {
        let policy = policy.with_defaults();
        if policy.issuer.name.as_deref() != Some("Self") {
            return Err(KeyVaultError::bad_parameter(
                "The sandbox has no certificate issuers: use the issuer Self, or import a certificate.",
            ));
        }
        let issued = issue(&policy, now)?;
        let pending = Pending { id: ids::version(), request: issued.request };
        let made = Self::of(&issued.material, properties, |_| policy)?;
        Ok(Self { pending: Some(pending), ..made })
    }

    /// Imports a client's certificate.
    pub(crate) fn import(request: ImportRequest) -> Result<Self, KeyVaultError> {
        let (value, password) = (Zeroizing::new(request.value), Zeroizing::new(request.pwd.unwrap_or_default()));
        let (material, format) = Material::parse(&value, &password)?;
        Self::of(&material, request.properties, |certificate| {
            CertificatePolicy::of(certificate, format).overridden(request.policy)
        })
    }

    fn of(
        material: &Material,
        mut properties: ObjectProperties,
        policy: impl FnOnce(&X509Certificate<'_>) -> CertificatePolicy,
    ) -> Result<Self, KeyVaultError> {
        let unusable = || KeyVaultError::bad_parameter("The certificate's key is not one that a vault can hold.");
        let (_, certificate) = X509Certificate::from_der(material.certificate()).map_err(|_| unusable())?;
        let public = PublicKey::from_parsed(certificate.public_key()).ok_or_else(unusable)?;
        public.check()?;
        properties.attributes.not_before = Some(certificate.validity().not_before.timestamp());
        properties.attributes.expires = Some(certificate.validity().not_after.timestamp());
        let policy = policy(&certificate).with_key(&public);
        let secret = material.secret(policy.format())?;
        Ok(Self { der: material.certificate().to_vec(), public, secret, policy, pending: None, properties })
    }
}

/// Adds a certificate as a new version, with its key and its secret. Returns the version's ID.
pub(crate) fn write(objects: &mut Objects, name: &str, new: NewCertificate, now: i64) -> Result<String, KeyVaultError> {
    check_name(name)?;
    new.properties.check()?;
    check_free(&objects.keys, name, now)?;
    check_free(&objects.secrets, name, now)?;
    let id = ids::version();
    let NewCertificate { der, public, secret, policy, pending, properties } = new;
    let content_type = Some(policy.format().content_type().to_owned());
    let policy_times = PolicyTimes { enabled: true, created: now, updated: now };
    let certificate = CertificateBody { der, policy, policy_times, pending };
    add(&mut objects.certificates, name, Version::new(id.clone(), properties.clone(), certificate, now), now)?;
    let key = KeyBody::of_certificate(public);
    add(&mut objects.keys, name, Version::new(id.clone(), properties.clone(), key, now), now)?;
    let secret = SecretBody { value: secret, content_type, managed: true };
    add(&mut objects.secrets, name, Version::new(id.clone(), properties, secret, now), now)?;
    Ok(id)
}

/// Rejects the name of a certificate if an independent key or secret has it.
fn check_free<B: Body>(shelf: &Shelf<B>, name: &str, now: i64) -> Result<(), KeyVaultError> {
    match shelf.get(name, now).and_then(Entry::current) {
        Some(version) if !version.body.is_managed() => Err(KeyVaultError::name_taken(B::KIND, name)),
        _ => Ok(()),
    }
}

/// Changes attributes and tags of a version, or of the current one, and of its key and secret.
pub(crate) fn modify(
    objects: &mut Objects,
    name: &str,
    version: Option<&str>,
    mut properties: ObjectProperties,
    now: i64,
) -> Result<(), KeyVaultError> {
    // The certificate itself determines when it is valid.
    properties.attributes.not_before = None;
    properties.attributes.expires = None;
    lifecycle::change(&mut objects.certificates, name, version, &properties, now)?;
    lifecycle::change(&mut objects.keys, name, version, &properties, now)?;
    lifecycle::change(&mut objects.secrets, name, version, &properties, now)?;
    Ok(())
}

/// `POST /certificates/NAME/import`.
pub(crate) fn import(
    objects: &mut Objects,
    name: &str,
    new: NewCertificate,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let id = write(objects, name, new, setting.now)?;
    show(&objects.certificates, name, Some(&id), Form::Bundle, setting)
}

/// `POST /certificates/NAME/create`. Like Key Vault, it reports that the operation is in progress, because clients wait
/// for its end with [`get_pending`], but the certificate exists already.
pub(crate) fn create(
    objects: &mut Objects,
    name: &str,
    new: NewCertificate,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    write(objects, name, new, setting.now)?;
    pending(&objects.certificates, name, Progress::Started, setting)
}

/// `PATCH /certificates/NAME[/VERSION]`.
pub(crate) fn update(
    objects: &mut Objects,
    name: &str,
    version: Option<&str>,
    request: UpdateRequest,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    modify(objects, name, version, request.properties, setting.now)?;
    if let Some(policy) = request.policy {
        update_policy(&mut objects.certificates, name, policy, setting)?;
    }
    show(&objects.certificates, name, version, Form::Bundle, setting)
}

/// `DELETE /certificates/NAME`, with its key and secret.
pub(crate) fn delete(objects: &mut Objects, name: &str, setting: &Setting<'_>) -> Result<String, KeyVaultError> {
    let answer = lifecycle::delete(&mut objects.certificates, name, setting)?;
    lifecycle::delete(&mut objects.keys, name, setting)?;
    lifecycle::delete(&mut objects.secrets, name, setting)?;
    Ok(answer)
}

/// `POST /deletedcertificates/NAME/recover`, with its key and secret.
pub(crate) fn recover(objects: &mut Objects, name: &str, setting: &Setting<'_>) -> Result<String, KeyVaultError> {
    let answer = lifecycle::recover(&mut objects.certificates, name, setting)?;
    lifecycle::recover(&mut objects.keys, name, setting)?;
    lifecycle::recover(&mut objects.secrets, name, setting)?;
    Ok(answer)
}

/// `DELETE /deletedcertificates/NAME`, with its key and secret.
pub(crate) fn purge(objects: &mut Objects, name: &str, setting: &Setting<'_>) -> Result<(), KeyVaultError> {
    lifecycle::purge(&mut objects.certificates, name, setting)?;
    lifecycle::purge(&mut objects.keys, name, setting)?;
    lifecycle::purge(&mut objects.secrets, name, setting)
}

/// `GET /certificates/NAME/policy`.
pub(crate) fn get_policy(
    certificates: &Certificates,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let (entry, current) = find(certificates, name, None, setting.now)?;
    text(&policy_view(&entry.name, &current.body, setting))
}

/// `PATCH /certificates/NAME/policy`: how the next version will be created.
pub(crate) fn update_policy(
    certificates: &mut Certificates,
    name: &str,
    policy: CertificatePolicy,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    find(certificates, name, None, setting.now)?;
    let entry = certificates
        .live_mut(name, setting.now)
        .map_err(|conflict| KeyVaultError::conflict(ObjectKind::Certificate, name, conflict))?;
    if let Some(current) = entry.version_mut(None) {
        current.body.policy.change(policy);
        current.body.policy_times.updated = setting.now;
    }
    get_policy(certificates, name, setting)
}

/// `GET /certificates/NAME/pending`.
pub(crate) fn get_pending(
    certificates: &Certificates,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    pending(certificates, name, Progress::Completed, setting)
}

/// The reported progress of a certificate's creation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Started,
    Completed,
}

fn pending(
    certificates: &Certificates,
    name: &str,
    progress: Progress,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    const DETAILS: &str = "Pending certificate created. Certificate request is in progress. This may take some time \
                           based on the issuer provider. Please check again later.";
    let (entry, current) = find(certificates, name, None, setting.now)?;
    let pending = current.body.pending.as_ref().ok_or_else(|| KeyVaultError::pending_not_found(name))?;
    let target = setting.id(ObjectKind::Certificate, &entry.name, None);
    let (status, status_details, target) = match progress {
        Progress::Started => ("inProgress", Some(DETAILS), None),
        Progress::Completed => ("completed", None, Some(target)),
    };
    text(&PendingView {
        id: pending_id(&entry.name, setting),
        issuer: &current.body.policy.issuer,
        csr: BASE64_STANDARD.encode(&pending.request),
        cancellation_requested: false,
        status,
        status_details,
        target,
        request_id: &pending.id,
    })
}

/// `DELETE /certificates/NAME/pending`: forgets the operation. Returns it as it was.
pub(crate) fn delete_pending(
    certificates: &mut Certificates,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let answer = get_pending(certificates, name, setting)?;
    let entry = certificates
        .live_mut(name, setting.now)
        .map_err(|conflict| KeyVaultError::conflict(ObjectKind::Certificate, name, conflict))?;
    if let Some(current) = entry.version_mut(None) {
        current.body.pending = None;
    }
    Ok(answer)
}
