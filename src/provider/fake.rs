//! Values in the store itself, to try manifests without a vault (ESO's `provider.fake`).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::causes::{CauseDescription, StoreEffect};
use super::extract::{self, ExtractError};
use super::gjson::Bytes;
use super::{
    Caller, Check, Class, Fetched, Provider, ProviderError, ReadBudget, ReadOptions, SecretMap, SecretValue,
    SecretsClient, StoreView, Validation, Verdict, Writer,
};
use crate::api::v1::external_secret::{ConversionStrategy, Find, RemoteRef};
use crate::api::v1::secret_store::{FakeProvider, FakeProviderData};
use crate::budget::Budget;
use crate::re2::{Regex, is_letter, is_number};

/// The fake provider. It has no state: each client reads its store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fake;

#[async_trait]
impl Provider for Fake {
    async fn client(&self, store: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        let config = store.spec.provider.fake.as_ref().map(Arc::clone).ok_or_else(|| {
            error(
                Class::InvalidStore,
                "ProviderMissing",
                format!("{} \"{}\" has no spec.provider.fake", store.kind, store.name),
                "set spec.provider.fake",
            )
        })?;
        Ok(Arc::new(FakeClient { config, budget: caller.budget() }))
    }

    async fn writer(&self, store: StoreView<'_>, _: Caller<'_>) -> Result<Arc<dyn Writer>, ProviderError> {
        Err(error(
            Class::Unsupported,
            "NotWritable",
            format!("{} \"{}\" is of the fake provider, whose values stand in the store", store.kind, store.name),
            "push to a store with spec.provider.azurekv",
        ))
    }
}

/// What the causes of failures of this provider mean.
pub(super) const CAUSES: [CauseDescription; 11] = [
    described(
        "EntryIncomplete",
        Class::InvalidStore,
        "An entry of the store has no key or no value.",
        "Give every entry a key and a value.",
    ),
    described(
        "ValidationRefused",
        Class::InvalidStore,
        "The store asks to be found invalid.",
        "Remove `validationResult`, or set it to 0.",
    ),
    described("SecretNotFound", Class::Absent, "The store has no such key.", "Correct `remoteRef`, or add the entry."),
    described("PropertyMissing", Class::Absent, "The value has no such property.", "Correct `remoteRef.property`."),
    described("NoObject", Class::PropertyMissing, "The value is not a JSON object.", "Name the value in `data`."),
    described(
        "PropertyTooComplex",
        Class::InvalidReference,
        "The path in `remoteRef.property` costs too much.",
        "Make it simpler.",
    ),
    described("NotWritable", Class::Unsupported, "It cannot be written to.", "Push to a vault."),
    described("FindUnsupported", Class::Unsupported, "It searches by name only.", "Set `find.name.regexp`."),
    described(
        "KeyCollision",
        Class::InvalidReference,
        "Two keys become the same.",
        "Use `conversionStrategy: Unicode`.",
    ),
    described(
        "TooMuch",
        Class::InvalidReference,
        "The ExternalSecret needs more than it may compute.",
        "Split it, or use simpler expressions.",
    ),
    described(
        "RegexpInvalid",
        Class::InvalidReference,
        "`find.name.regexp` is not a regular expression.",
        "Correct it.",
    ),
];

const fn described(label: &'static str, class: Class, meaning: &'static str, remedy: &'static str) -> CauseDescription {
    let store = match class {
        Class::InvalidStore => StoreEffect::NotReady,
        _ => StoreEffect::None,
    };
    CauseDescription { label, class, store, meaning, remedy }
}

/// What ESO's webhook rejects in a store: an entry without a key or without a value.
///
/// # Errors
/// Names the first of them.
pub fn check(config: &FakeProvider) -> Result<(), ProviderError> {
    for (i, entry) in config.data.iter().enumerate() {
        let missing = match (entry.key.as_str(), entry.value.as_str()) {
            ("", _) => "key",
            (_, "") => "value",
            _ => continue,
        };
        return Err(error(
            Class::InvalidStore,
            "EntryIncomplete",
            format!("spec.provider.fake.data[{i}] has no {missing}"),
            "give every entry a key and a value",
        ));
    }
    Ok(())
}

/// The values of one store.
struct FakeClient {
    config: Arc<FakeProvider>,
    /// What the reading ExternalSecret may compute.
    budget: Arc<Budget>,
}

impl FakeClient {
    /// The value of a key in exactly this version. The last of duplicate entries wins.
    fn value(&self, key: &str, version: &str) -> Option<&str> {
        let is_wanted =
            |entry: &&FakeProviderData| entry.key == key && entry.version.as_deref().unwrap_or_default() == version;
        self.config.data.iter().rev().find(is_wanted).map(|entry| entry.value.as_str())
    }

    /// What a reference names.
    fn referenced(&self, reference: &RemoteRef) -> Result<Vec<u8>, ProviderError> {
        let version = reference.version.as_deref().unwrap_or_default();
        let value = self.value(&reference.key, version).ok_or_else(|| no_such_key(&reference.key, version))?;
        match reference.property.as_deref() {
            None | Some("") => self.copied(value),
            Some(path) => self.property(value, path, &reference.key),
        }
    }

    /// A copy for each caller.
    fn copied(&self, value: &str) -> Result<Vec<u8>, ProviderError> {
        self.budget.values(value.len()).map_err(too_much)?;
        Ok(value.as_bytes().to_vec())
    }

    /// What `path` finds in `value`.
    fn property(&self, value: &str, path: &str, key: &str) -> Result<Vec<u8>, ProviderError> {
        match self.budget.lookup(value.as_bytes(), path.as_bytes()) {
            Ok(Some(found)) => Ok(Bytes::into_vec(found)),
            Ok(None) => Err(error(
                Class::Absent,
                "PropertyMissing",
                format!("the value of key \"{key}\" in the store has no property \"{path}\""),
                "correct remoteRef.property, or add the property to the value in spec.provider.fake.data",
            )),
            Err(cause) => Err(error(
                Class::InvalidReference,
                "PropertyTooComplex",
                format!("property \"{path}\" of key \"{key}\" cannot be looked up"),
                &cause.to_string(),
            )),
        }
    }
}

#[async_trait]
impl SecretsClient for FakeClient {
    async fn get_secret(&self, reference: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretValue>, ProviderError> {
        Ok(Fetched::plain(Arc::new(self.referenced(reference)?.into())))
    }

    async fn get_secret_map(&self, reference: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretMap>, ProviderError> {
        let value = Zeroizing::new(self.referenced(reference)?);
        let members = extract::members(&value, &self.budget).map_err(|problem| {
            let message = format!("the value of key \"{}\" in the store {problem}", reference.key);
            let cause = match problem {
                ExtractError::Exceeded(_) => "TooMuch",
                ExtractError::ByteOrderMark | ExtractError::NoObject => "NoObject",
            };
            error(Class::PropertyMissing, cause, message, &problem.hint())
        })?;
        Ok(Fetched::plain(members))
    }

    /// Finds by name only, as in ESO; names are already converted here. Of several versions of a key, the greatest
    /// wins, compared as text.
    async fn find(&self, find: &Find, _: ReadOptions, reads: &ReadBudget) -> Result<Fetched<SecretMap>, ProviderError> {
        let name = find.name.as_ref().ok_or_else(|| {
            error(
                Class::Unsupported,
                "FindUnsupported",
                "the fake provider searches by name only".to_owned(),
                "set dataFrom.find.name.regexp",
            )
        })?;
        let name = Regex::new(name.regexp.as_deref().unwrap_or_default()).map_err(|cause| {
            let message = format!("dataFrom.find.name.regexp is not a regular expression: {cause}");
            error(Class::InvalidReference, "RegexpInvalid", message, "correct it; the syntax is that of Go")
        })?;
        let mut found = BTreeMap::new();
        for entry in &self.config.data {
            let is_match = self.budget.search(|allowance| name.is_match(entry.key.as_bytes(), allowance));
            if !is_match.map_err(too_much)? {
                continue;
            }
            let latest = found.entry(entry.key.as_str()).or_insert(entry);
            if latest.version <= entry.version {
                *latest = entry;
            }
        }
        let mut map = SecretMap::new();
        for (key, entry) in found {
            let converted = converted(key, find.conversion_strategy.unwrap_or_default());
            let value: SecretValue = Arc::new(self.copied(&entry.value)?.into());
            reads.charge(&converted, &value)?;
            if map.insert(converted.clone(), value).is_some() {
                return Err(error(
                    Class::InvalidReference,
                    "KeyCollision",
                    format!("two keys of the store become \"{converted}\""),
                    "use conversionStrategy Unicode, or a regexp that finds one of them",
                ));
            }
        }
        Ok(Fetched::plain(map))
    }

    async fn validate(&self) -> Validation {
        let refused = || {
            error(
                Class::InvalidStore,
                "ValidationRefused",
                "spec.provider.fake.validationResult asks for a store that cannot be validated".to_owned(),
                "remove validationResult, or set it to 0",
            )
        };
        let verdict = match self.config.validation_result {
            None | Some(0) => Verdict::Valid,
            Some(1) => Verdict::Unknown(refused()),
            Some(_) => Verdict::Invalid(refused()),
        };
        let check = match &verdict {
            Verdict::Valid => Check::Passed,
            Verdict::Invalid(error) => Check::Failed(error.clone()),
            Verdict::Unknown(error) => Check::Unknown(error.message.clone()),
        };
        Validation { verdict, authenticated: check.clone(), reachable: check.clone(), authorized: check }
    }
}

/// A key of the store, converted to a key of a Secret.
fn converted(key: &str, strategy: ConversionStrategy) -> String {
    let convert = |character: char| match strategy {
        _ if is_letter(character) || is_number(character) || matches!(character, '-' | '.' | '_') => {
            character.to_string()
        }
        ConversionStrategy::Default => "_".to_owned(),
        ConversionStrategy::Unicode => format!("_U{:04x}_", u32::from(character)),
    };
    key.chars().map(convert).collect()
}

/// The ExternalSecret exceeds its computing budget.
fn too_much(exceeded: impl std::fmt::Display) -> ProviderError {
    error(Class::InvalidReference, "TooMuch", "the value was not computed".to_owned(), &exceeded.to_string())
}

fn no_such_key(key: &str, version: &str) -> ProviderError {
    let message = if version.is_empty() {
        format!("the store has no key \"{key}\" without a version")
    } else {
        format!("the store has no key \"{key}\" in version \"{version}\"")
    };
    error(Class::Absent, "SecretNotFound", message, "correct remoteRef, or add the entry to spec.provider.fake.data")
}

fn error(class: Class, cause: &'static str, message: String, hint: &str) -> ProviderError {
    ProviderError::new(class, cause, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::api::v1::external_secret::FindName;
    use crate::api::v1::secret_store::{SecretStoreProvider, SecretStoreSpec, StoreKind};
    use crate::provider::{Freshness, Priority};

    const SHARED: ReadOptions = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };

    fn entry(key: &str, version: Option<&str>, value: &str) -> FakeProviderData {
        FakeProviderData { key: key.into(), value: value.into(), version: version.map(Into::into) }
    }

    fn client_of(config: Option<FakeProvider>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        let provider = SecretStoreProvider { fake: config.map(Arc::new), ..SecretStoreProvider::default() };
        let spec = SecretStoreSpec { provider, ..SecretStoreSpec::default() };
        let store = StoreView { kind: StoreKind::SecretStore, namespace: Some("team"), name: "values", spec: &spec };
        Fake.client(store, Caller::ExternalSecret { namespace: "team", budget: &Arc::default() })
            .now_or_never()
            .unwrap()
    }

    fn finds(find: &Find, data: Vec<FakeProviderData>) -> Result<Vec<(String, String)>, ProviderError> {
        let client = client_of(Some(FakeProvider { data, validation_result: None })).unwrap();
        let found = client.find(find, SHARED, &ReadBudget::alone()).now_or_never().unwrap()?;
        let text = |value: &SecretValue| String::from_utf8(value.expose_secret().to_vec()).unwrap();
        Ok(found.value.iter().map(|(key, value)| (key.clone(), text(value))).collect())
    }

    fn named(regexp: &str) -> Find {
        Find { name: Some(FindName { regexp: Some(regexp.to_owned()) }), ..Find::default() }
    }

    fn paths() -> Vec<FakeProviderData> {
        vec![
            entry("/a/one", None, "1"),
            entry("/a/two", Some("v2"), "new"),
            entry("/a/two", Some("v10"), "old"),
            entry("/b", None, "first"),
            entry("/b", None, "last"),
        ]
    }

    #[rstest]
    #[case("^/a/", ConversionStrategy::Default, &[("_a_one", "1"), ("_a_two", "new")])]
    #[case("^/b$", ConversionStrategy::Unicode, &[("_U002f_b", "last")])]
    #[case("", ConversionStrategy::Default, &[("_a_one", "1"), ("_a_two", "new"), ("_b", "last")])]
    #[case("nothing", ConversionStrategy::Default, &[])]
    fn a_search_by_name_finds_the_latest_version_of_each_key(
        #[case] regexp: &str,
        #[case] strategy: ConversionStrategy,
        #[case] expected: &[(&str, &str)],
    ) {
        let find = Find { conversion_strategy: Some(strategy), ..named(regexp) };
        let expected: Vec<_> = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(finds(&find, paths()).unwrap(), expected);
    }

    #[test]
    fn an_impossible_search_is_reported() {
        assert_eq!(finds(&named("("), paths()).unwrap_err().class, Class::InvalidReference);
        assert_eq!(finds(&Find::default(), paths()).unwrap_err().class, Class::Unsupported);
        let alike = vec![entry("a/b", None, "1"), entry("a:b", None, "2")];
        assert_eq!(finds(&named("a"), alike).unwrap_err().message, "two keys of the store become \"a_b\"");
    }

    #[test]
    fn extract_takes_an_object_or_a_property_of_it_apart() {
        let data =
            vec![entry("json", None, r#"{"user":{"name":"x","age":1.50,"none":null}}"#), entry("text", None, "x")];
        let client = client_of(Some(FakeProvider { data, validation_result: None })).unwrap();
        let extract = |key: &str, property: Option<&str>| {
            let reference = RemoteRef { key: key.into(), property: property.map(Into::into), ..RemoteRef::default() };
            client.get_secret_map(&reference, SHARED).now_or_never().unwrap().map(|fetched| {
                let text = |value: &SecretValue| String::from_utf8(value.expose_secret().to_vec()).unwrap();
                fetched.value.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>()
            })
        };
        assert_eq!(extract("json", None).unwrap(), [r#"user={"name":"x","age":1.50,"none":null}"#]);
        assert_eq!(extract("json", Some("user")).unwrap(), ["age=1.50", "name=x", "none="]);
        assert_eq!(extract("text", None).unwrap_err().class, Class::PropertyMissing);
        assert_eq!(extract("other", None).unwrap_err().class, Class::Absent);
    }

    fn get(key: &str, version: Option<&str>, property: Option<&str>) -> Result<String, ProviderError> {
        let data = vec![
            entry("plain", None, "first"),
            entry("plain", None, "last"),
            entry("pinned", Some("v1"), "one"),
            entry("pinned", Some("v2"), "two"),
            entry("json", None, r#"{"user":{"name":"x"},"a.b":1,"none":null,"list":[1.50,{}]}"#),
        ];
        let client = client_of(Some(FakeProvider { data, validation_result: None })).unwrap();
        let reference = RemoteRef {
            key: key.into(),
            version: version.map(Into::into),
            property: property.map(Into::into),
            ..RemoteRef::default()
        };
        let value = client.get_secret(&reference, SHARED).now_or_never().unwrap()?.value;
        Ok(String::from_utf8(value.expose_secret().to_vec()).unwrap())
    }

    #[rstest]
    #[case::the_last_of_equal_keys("plain", None, "last")]
    #[case::a_version("pinned", Some("v1"), "one")]
    #[case::another_version("pinned", Some("v2"), "two")]
    #[case::an_empty_version_is_none("plain", Some(""), "last")]
    fn a_value_is_found_by_key_and_version(#[case] key: &str, #[case] version: Option<&str>, #[case] value: &str) {
        assert_eq!(get(key, version, None).unwrap(), value);
    }

    #[rstest]
    #[case("user.name", "x")]
    #[case("user", r#"{"name":"x"}"#)]
    #[case(r"a\.b", "1")]
    #[case("none", "")]
    #[case("list.0", "1.5")]
    #[case("list.#", "2")]
    #[case("", r#"{"user":{"name":"x"},"a.b":1,"none":null,"list":[1.50,{}]}"#)]
    fn a_property_is_found_by_its_path(#[case] path: &str, #[case] value: &str) {
        assert_eq!(get("json", None, Some(path)).unwrap(), value);
    }

    #[rstest]
    #[case("other", None, None, "the store has no key \"other\" without a version")]
    #[case("pinned", None, None, "the store has no key \"pinned\" without a version")]
    #[case("plain", Some("v1"), None, "the store has no key \"plain\" in version \"v1\"")]
    #[case("json", None, Some("user.age"), "the value of key \"json\" in the store has no property \"user.age\"")]
    fn what_is_not_there_is_absent_for_certain(
        #[case] key: &str,
        #[case] version: Option<&str>,
        #[case] property: Option<&str>,
        #[case] message: &str,
    ) {
        let error = get(key, version, property).unwrap_err();
        assert_eq!((error.class, error.message.as_str()), (Class::Absent, message));
    }

    #[test]
    fn a_property_that_takes_too_much_work_is_not_taken_for_absent() {
        let path = ["[@this,@this]"; 40].join("|");
        assert_eq!(get("json", None, Some(&path)).unwrap_err().class, Class::InvalidReference);
    }

    #[test]
    fn lookups_of_one_external_secret_share_a_budget_that_is_named() {
        // A megabyte that a path scans over and over.
        let large = format!("[{}0]", r#"{"a":1},"#.repeat(100_000));
        let client =
            client_of(Some(FakeProvider { data: vec![entry("k", None, &large)], validation_result: None })).unwrap();
        let read = |path: &str| {
            let reference = RemoteRef { key: "k".into(), property: Some(path.into()), ..RemoteRef::default() };
            client.get_secret(&reference, SHARED).now_or_never().unwrap()
        };
        let errors = (0..2000).map(|number| read(&format!("#(b=={number})#")).err());
        let (before, error) = errors.enumerate().find_map(|(number, error)| Some((number, error?))).unwrap();
        assert!((50..500).contains(&before), "{before}");
        let hint = error.hint.unwrap();
        assert!(
            hint.starts_with("the property paths of this ExternalSecret") && hint.contains("268435456 steps"),
            "{hint}"
        );
        assert!(read("0.a").is_err(), "nothing is left");
    }

    #[test]
    fn copies_of_a_large_value_are_bounded_for_one_external_secret() {
        let large = "x".repeat(1 << 20);
        let client =
            client_of(Some(FakeProvider { data: vec![entry("k", None, &large)], validation_result: None })).unwrap();
        let reference = RemoteRef { key: "k".into(), ..RemoteRef::default() };
        let reads = (0..1000).map(|_| client.get_secret(&reference, SHARED).now_or_never().unwrap());
        assert_eq!(reads.take_while(Result::is_ok).count(), 32);
    }

    #[test]
    fn a_value_of_very_many_members_is_not_taken_apart() {
        let many = format!("{{{}}}", (0..250_000).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(","));
        let client =
            client_of(Some(FakeProvider { data: vec![entry("k", None, &many)], validation_result: None })).unwrap();
        let reference = RemoteRef { key: "k".into(), ..RemoteRef::default() };
        let error = client.get_secret_map(&reference, SHARED).now_or_never().unwrap().unwrap_err();
        assert!(error.to_string().contains("200000 JSON values"), "{error}");
    }

    #[rstest]
    #[case(None, "valid")]
    #[case(Some(0), "valid")]
    #[case(Some(1), "unknown")]
    #[case(Some(2), "invalid")]
    fn validation_answers_what_the_store_asks_for(#[case] result: Option<i64>, #[case] expected: &str) {
        let client = client_of(Some(FakeProvider { data: Vec::new(), validation_result: result })).unwrap();
        let verdict = match client.validate().now_or_never().unwrap().verdict {
            Verdict::Valid => "valid",
            Verdict::Unknown(_) => "unknown",
            Verdict::Invalid(_) => "invalid",
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn a_store_of_another_provider_is_refused() {
        let error = client_of(None).err().unwrap();
        assert_eq!(error.class, Class::InvalidStore);
        assert_eq!(error.to_string(), "SecretStore \"values\" has no spec.provider.fake: set spec.provider.fake");
    }

    #[rstest]
    #[case(entry("", None, "v"), "spec.provider.fake.data[1] has no key")]
    #[case(entry("k", None, ""), "spec.provider.fake.data[1] has no value")]
    fn an_incomplete_entry_is_reported(#[case] bad: FakeProviderData, #[case] message: &str) {
        let config = FakeProvider { data: vec![entry("k", None, "v"), bad], validation_result: None };
        assert_eq!(check(&config).unwrap_err().message, message);
    }
}
