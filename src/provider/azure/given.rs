//! Objects given in place of vaults, for example by a file (`render --values`). They are read under a vault's rules:
//! the same names are rejected, and properties, tags and searches have the same meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretSlice;

use super::answer::{Attributes, Object};
use super::certificate;
use super::diagnose::{Cause, Diagnosis};
use super::find::Wanted;
use super::object::{ObjectId, ObjectKind};
use super::push::{GivenLookup, GivenWriter};
use super::reader;
use crate::api::v1::external_secret::{Find, MetadataPolicy, RemoteRef};
use crate::budget::Budget;
use crate::provider::{
    Caller, Check, Fetched, Provider, ProviderError, ReadBudget, ReadOptions, SecretMap, SecretValue, SecretsClient,
    StoreView, Validation, Verdict, Writer,
};

/// Why an object cannot be given. Contains no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// No object of a vault can have this name.
    #[error("{0}")]
    Name(String),
    /// The object is given twice, perhaps in two spellings that are equal to a vault.
    #[error("{key:?} is the same object as {other:?}, to Key Vault")]
    Twice {
        key: String,
        /// The earlier spelling.
        other: String,
    },
    /// The value is not a certificate.
    #[error("{key:?} is not a certificate: give it in PEM, or its DER in base64")]
    Certificate { key: String },
    /// Objects have no such time.
    #[error("an object has no time {0:?}: it has expires, created, updated and notBefore")]
    Time(String),
    /// A time is invalid.
    #[error("the time {0:?} is not as in 2026-11-28T18:00:00Z")]
    NotATime(String),
}

/// One object.
#[derive(Default)]
struct Given {
    /// The key as it was given.
    key: String,
    name: String,
    value: Option<SecretValue>,
    /// `None` if they are not given.
    tags: Option<BTreeMap<String, String>>,
    attributes: Attributes,
}

/// Objects that replace all vaults.
#[derive(Default)]
pub struct GivenObjects {
    /// Where they come from, for messages.
    source: String,
    /// By lower-case name, because a vault ignores case.
    objects: BTreeMap<(ObjectKind, String), Given>,
}

impl GivenObjects {
    /// A client that reads the objects for one ExternalSecret, within its budget.
    #[must_use]
    pub fn client(self: Arc<Self>, budget: Arc<Budget>) -> Arc<dyn SecretsClient> {
        Arc::new(GivenClient { objects: self, budget })
    }

    /// No objects yet. `source` names them in messages.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), objects: BTreeMap::new() }
    }

    /// Sets the value of the object that a `remoteRef.key` names, in all versions. The value of a certificate is its
    /// DER, as in a vault; PEM and base64 are decoded.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Twice`] and [`Error::Certificate`]
    pub fn set_value(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let id = id(key)?;
        let value = match id.kind {
            ObjectKind::Certificate => {
                certificate_bytes(value).ok_or_else(|| Error::Certificate { key: key.to_owned() })?
            }
            ObjectKind::Secret | ObjectKind::Key => value.to_vec(),
        };
        let given = self.entry(key, &id);
        if given.value.is_some() {
            return Err(Error::Twice { key: key.to_owned(), other: given.key.clone() });
        }
        key.clone_into(&mut given.key);
        id.name.clone_into(&mut given.name);
        given.value = Some(Arc::new(SecretSlice::from(value)));
        Ok(())
    }

    /// Sets the tags of an object.
    ///
    /// # Errors
    /// [`Error::Name`] and [`Error::Twice`]
    pub fn set_tags(&mut self, key: &str, tags: BTreeMap<String, String>) -> Result<(), Error> {
        let given = self.entry(key, &id(key)?);
        match given.tags.replace(tags) {
            None => Ok(()),
            Some(_) => Err(Error::Twice { key: key.to_owned(), other: given.key.clone() }),
        }
    }

    /// Sets one of the times of an object, named as in `metadataPolicy: Fetch` but without `attribute.`.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Time`] and [`Error::NotATime`]
    pub fn set_time(&mut self, key: &str, name: &str, time: &str) -> Result<(), Error> {
        let attributes = &mut self.entry(key, &id(key)?).attributes;
        let place = match name {
            "expires" => &mut attributes.expires,
            "created" => &mut attributes.created,
            "updated" => &mut attributes.updated,
            "notBefore" => &mut attributes.not_before,
            _ => return Err(Error::Time(name.to_owned())),
        };
        let time: Timestamp = time.parse().map_err(|_| Error::NotATime(time.to_owned()))?;
        *place = Some(time.as_second());
        Ok(())
    }

    fn entry(&mut self, key: &str, id: &ObjectId) -> &mut Given {
        self.objects.entry(index(id)).or_insert_with(|| Given {
            key: key.to_owned(),
            name: id.name.clone(),
            ..Given::default()
        })
    }

    fn given(&self, id: &ObjectId) -> Result<&Given, Diagnosis> {
        self.objects.get(&index(id)).ok_or_else(|| self.missing(id, "has no"))
    }

    fn missing(&self, id: &ObjectId, verb: &str) -> Diagnosis {
        let (cause, prefix) = match id.kind {
            ObjectKind::Secret => (Cause::SecretNotFound, ""),
            ObjectKind::Key => (Cause::KeyNotFound, "key/"),
            ObjectKind::Certificate => (Cause::CertificateNotFound, "cert/"),
        };
        // Every version is the one that is given.
        let object = ObjectId { version: None, ..id.clone() };
        Diagnosis::new(cause, format!("{} {verb} {object}", self.source))
            .hint(format!("add \"{prefix}{}\" to it, or correct remoteRef.key", id.name))
    }

    /// The object for a reference, as a vault would return it.
    fn read(&self, reference: &RemoteRef, id: &ObjectId) -> Result<Object, Diagnosis> {
        let given = self.given(id)?;
        if reader::policy(reference) == MetadataPolicy::None && given.value.is_none() {
            return Err(self.missing(id, "has no value of"));
        }
        let is_time = reader::property(reference).is_some_and(|property| property.starts_with("attribute."));
        if reader::policy(reference) == MetadataPolicy::Fetch && given.tags.is_none() && !is_time {
            return Err(self.unknown_tags(id, &given.key));
        }
        Ok(Object::given(given.value.clone(), given.tags.clone().unwrap_or_default(), given.attributes))
    }

    fn unknown_tags(&self, id: &ObjectId, key: &str) -> Diagnosis {
        let message = format!("{} does not say the tags of {}", self.source, ObjectId { version: None, ..id.clone() });
        Diagnosis::new(Cause::PropertyMissing, message).hint(format!("add \"{key}.tags: {{NAME: VALUE}}\" to it"))
    }

    fn described(&self, id: &ObjectId) -> String {
        format!("{id} in {}", self.source)
    }

    /// The values of the secrets that a search finds.
    fn found(&self, find: &Find, budget: &Budget) -> Result<SecretMap, Diagnosis> {
        let wanted = Wanted::of(find)?;
        let mut found = SecretMap::new();
        for ((kind, _), given) in &self.objects {
            if *kind != ObjectKind::Secret || !wanted.names(&given.name, budget)? {
                continue;
            }
            let id = ObjectId { kind: *kind, name: given.name.clone(), version: None };
            if wanted.has_tags() {
                let tags = given.tags.as_ref().ok_or_else(|| self.unknown_tags(&id, &given.key))?;
                if !wanted.tags(tags) {
                    continue;
                }
            }
            let value = given.value.clone().ok_or_else(|| self.missing(&id, "has no value of"))?;
            found.insert(given.name.clone(), value);
        }
        Ok(found)
    }
}

fn index(id: &ObjectId) -> (ObjectKind, String) {
    (id.kind, id.name.to_ascii_lowercase())
}

fn id(key: &str) -> Result<ObjectId, Error> {
    let reference = RemoteRef { key: key.to_owned(), ..RemoteRef::default() };
    ObjectId::parse(&reference).map_err(|refused| {
        // The message is about the reference.
        let problem = refused.message.strip_prefix("remoteRef.key ").unwrap_or(&refused.message);
        Error::Name(format!("{problem}: {}", refused.hint.unwrap_or_default()))
    })
}

/// The DER of a certificate.
fn certificate_bytes(value: &[u8]) -> Option<Vec<u8>> {
    const SEQUENCE: u8 = 0x30;
    if value.first() == Some(&SEQUENCE) && str::from_utf8(value).is_err() {
        return Some(value.to_vec());
    }
    let text = str::from_utf8(value).ok()?;
    if let Some(certificate) = certificate::first_certificate(text) {
        return Some(certificate);
    }
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok().filter(|der| der.first() == Some(&SEQUENCE))
}

/// Reads given objects for an ExternalSecret.
struct GivenClient {
    objects: Arc<GivenObjects>,
    /// What the ExternalSecret may compute.
    budget: Arc<Budget>,
}

#[async_trait]
impl SecretsClient for GivenClient {
    async fn get_secret(&self, reference: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretValue>, ProviderError> {
        let id = ObjectId::parse(reference)?;
        let read = self.objects.read(reference, &id)?;
        let object = self.objects.described(&id);
        Ok(Fetched::plain(reader::value(&read, reference, id.kind, &object, &self.budget)?))
    }

    async fn get_secret_map(&self, reference: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretMap>, ProviderError> {
        let id = reader::secret_to_take_apart(reference)?;
        let read = self.objects.read(reference, &id)?;
        let object = self.objects.described(&id);
        Ok(Fetched::plain(reader::map(&read, reference, &id.name, &object, &self.budget)?))
    }

    async fn find(&self, find: &Find, _: ReadOptions, reads: &ReadBudget) -> Result<Fetched<SecretMap>, ProviderError> {
        let found = self.objects.found(find, &self.budget)?;
        found.iter().try_for_each(|(name, value)| reads.charge(name, value))?;
        Ok(Fetched::plain(found))
    }

    async fn validate(&self) -> Validation {
        Validation {
            verdict: Verdict::Valid,
            authenticated: Check::Passed,
            reachable: Check::Passed,
            authorized: Check::Passed,
        }
    }
}

/// Replaces every vault by given objects.
pub struct GivenVault(pub Arc<GivenObjects>);

#[async_trait]
impl Provider for GivenVault {
    async fn client(&self, _: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        Ok(Arc::clone(&self.0).client(caller.budget()))
    }

    async fn writer(&self, store: StoreView<'_>, _: Caller<'_>) -> Result<Arc<dyn Writer>, ProviderError> {
        Ok(Arc::new(GivenWriter::new(vault_of(store), Arc::clone(&self.0) as _)))
    }
}

impl GivenLookup for GivenObjects {
    fn object(&self, id: &ObjectId) -> Option<Object> {
        let Given { value, tags, attributes, .. } = self.objects.get(&index(id))?;
        Some(Object::given(value.clone(), tags.clone().unwrap_or_default(), *attributes))
    }
}

/// The host of a store's vault; where the store is not known, a name that is no other store's.
fn vault_of(store: StoreView<'_>) -> String {
    let url = store.spec.provider.azurekv.as_ref().map(|azurekv| azurekv.vault_url.trim()).unwrap_or_default();
    let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', ':']).next()).unwrap_or_default();
    if host.is_empty() {
        let namespace = store.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        return format!("of {} {namespace}{}", store.kind, store.name);
    }
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::api::v1::external_secret::FindName;
    use crate::provider::{Class, Freshness, Priority};

    const SHARED: ReadOptions = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };

    fn objects() -> GivenObjects {
        let mut objects = GivenObjects::new("values.yaml");
        for (key, value) in [
            ("db", r#"{"user":"u","foo.json":"bar"}"#),
            ("secret/Other", "text"),
            ("key/signing", r#"{"kty":"RSA"}"#),
            ("cert/web", "MIIB"),
        ] {
            objects.set_value(key, value.as_bytes()).unwrap();
        }
        objects.set_tags("db", [("env".to_owned(), "prod".to_owned())].into()).unwrap();
        objects.set_time("other", "expires", "2026-11-28T18:00:00Z").unwrap();
        objects
    }

    fn client() -> GivenClient {
        GivenClient { objects: Arc::new(objects()), budget: Arc::default() }
    }

    fn text(value: &SecretValue) -> String {
        String::from_utf8_lossy(value.expose_secret()).into_owned()
    }

    fn get(reference: &RemoteRef) -> Result<String, ProviderError> {
        client().get_secret(reference, SHARED).now_or_never().unwrap().map(|fetched| text(&fetched.value))
    }

    fn reference(key: &str) -> RemoteRef {
        RemoteRef { key: key.to_owned(), ..RemoteRef::default() }
    }

    #[rstest]
    #[case::a_secret("db", None, r#"{"user":"u","foo.json":"bar"}"#)]
    #[case::with_its_kind("secret/db", Some("user"), "u")]
    #[case::a_key_with_a_dot("db", Some("foo.json"), "bar")]
    #[case::in_other_letters("OTHER", None, "text")]
    #[case::a_key("key/signing", Some("kty"), "RSA")]
    fn a_value_is_found_as_in_a_vault(#[case] key: &str, #[case] property: Option<&str>, #[case] expected: &str) {
        let version = Some("0123456789abcdef0123456789abcdef".to_owned());
        let pinned = RemoteRef { property: property.map(Into::into), version, ..reference(key) };
        assert_eq!(get(&pinned).unwrap(), expected);
        assert_eq!(get(&RemoteRef { version: None, ..pinned }).unwrap(), expected);
    }

    #[rstest]
    #[case("under_score", None, Class::InvalidReference, "names no object that Key Vault can have")]
    #[case("secrets/x", None, Class::InvalidReference, "names the unknown kind \"secrets\"")]
    #[case("db", Some("v1"), Class::InvalidReference, "is not a version of Key Vault")]
    #[case("nothing", None, Class::Absent, "values.yaml has no secret \"nothing\"")]
    #[case("cert/nothing", None, Class::Absent, "values.yaml has no certificate \"nothing\"")]
    fn what_a_vault_would_refuse_is_refused(
        #[case] key: &str,
        #[case] version: Option<&str>,
        #[case] class: Class,
        #[case] words: &str,
    ) {
        let refused = get(&RemoteRef { version: version.map(Into::into), ..reference(key) }).unwrap_err();
        assert_eq!(refused.class, class);
        assert!(refused.message.contains(words), "{refused}");
    }

    #[test]
    fn a_certificate_is_its_bytes() {
        let value = client().get_secret(&reference("cert/web"), SHARED).now_or_never().unwrap().unwrap().value;
        assert_eq!(value.expose_secret(), [0x30, 0x82, 0x01]);
        let refused = objects().set_value("cert/x", b"words").unwrap_err();
        assert_eq!(refused, Error::Certificate { key: "cert/x".to_owned() });
    }

    #[test]
    fn extract_takes_secrets_apart_and_nothing_else() {
        let extract = |key| client().get_secret_map(&reference(key), SHARED).now_or_never().unwrap();
        let members: Vec<_> = extract("db").unwrap().value.into_keys().collect();
        assert_eq!(members, ["foo.json", "user"]);
        let refused = extract("cert/web").unwrap_err();
        assert_eq!(refused.message, "dataFrom.extract cannot take \"cert/web\" apart: it is not a secret");
        let text = extract("other").unwrap_err();
        assert!(text.message.starts_with("secret \"other\" in values.yaml is not a JSON object"), "{text}");
    }

    #[test]
    fn tags_are_those_that_are_given_or_unknown() {
        let tag = |key: &str, property: &str| {
            let metadata_policy = Some(MetadataPolicy::Fetch);
            get(&RemoteRef { metadata_policy, property: Some(property.to_owned()), ..reference(key) })
        };
        assert_eq!(tag("db", "env").unwrap(), "prod");
        assert_eq!(tag("other", "attribute.expires").unwrap(), "2026-11-28T18:00:00Z");
        let unknown = tag("other", "env").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "values.yaml does not say the tags of secret \"other\": add \"secret/Other.tags: {NAME: VALUE}\" to it"
        );
    }

    #[test]
    fn a_search_goes_by_names_and_by_tags_that_are_known() {
        let find = |regexp: &str, tags: Option<(&str, &str)>| {
            let tags = tags.map(|(name, value)| [(name.to_owned(), value.to_owned())].into());
            let name = Some(FindName { regexp: Some(regexp.to_owned()) });
            let find = Find { name, tags, ..Find::default() };
            let found = client().find(&find, SHARED, &ReadBudget::alone()).now_or_never().unwrap();
            found.map(|read| read.value.into_keys().collect::<Vec<_>>()).map_err(|error| error.message)
        };
        assert_eq!(find(".", None).unwrap(), ["Other", "db"]);
        assert_eq!(find("^d", Some(("env", "prod"))).unwrap(), ["db"]);
        assert_eq!(find("^d", Some(("env", "test"))).unwrap(), Vec::<String>::new());
        let unknown = find(".", Some(("env", "prod"))).unwrap_err();
        assert_eq!(unknown, "values.yaml does not say the tags of secret \"Other\"");
    }

    #[rstest]
    #[case(
        "under_score",
        "\"under_score\" names no object that Key Vault can have: a name has 1 to 127 letters, digits and dashes"
    )]
    #[case(
        "secrets/x",
        "\"secrets/x\" names the unknown kind \"secrets\": write NAME, secret/NAME, key/NAME or cert/NAME"
    )]
    #[case("DB", "\"DB\" is the same object as \"db\", to Key Vault")]
    fn a_name_that_no_object_can_have_is_reported(#[case] key: &str, #[case] message: &str) {
        let refused = objects().set_value(key, b"x").unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}
