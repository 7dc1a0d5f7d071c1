//! From a generator's spec to its values.

use super::error::MintError;
use super::values::Values;
use super::{fake, password, ssh_key, uuid};
use crate::api::generators::{AcrAccessTokenSpec, GeneratorSpec, SshKeyType};

/// The keys of an `ACRAccessToken`.
pub const ACR_KEYS: [&str; 2] = ["username", "password"];

/// Whether a value can be obtained again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// It cannot: a password, a UUID, a key. It must not be replaced by accident.
    Minted,
    /// It is requested at each refresh: a token, or what is written in the generator.
    Renewed,
}

/// Whether values of a generator are minted or renewed.
#[must_use]
pub const fn making(spec: &GeneratorSpec) -> Making {
    match spec {
        GeneratorSpec::Password(_) | GeneratorSpec::SshKey(_) | GeneratorSpec::Uuid(_) => Making::Minted,
        GeneratorSpec::AcrAccessToken(_) | GeneratorSpec::Fake(_) => Making::Renewed,
    }
}

/// The keys of a generator's values.
#[must_use]
pub fn keys(spec: &GeneratorSpec) -> Vec<String> {
    match spec {
        GeneratorSpec::AcrAccessToken(_) => ACR_KEYS.map(str::to_owned).to_vec(),
        GeneratorSpec::Fake(spec) => spec.data.iter().flatten().map(|(key, _)| key.clone()).collect(),
        GeneratorSpec::Password(spec) => password::keys(spec),
        GeneratorSpec::SshKey(_) => vec![ssh_key::PRIVATE_KEY.to_owned(), ssh_key::PUBLIC_KEY.to_owned()],
        GeneratorSpec::Uuid(_) => vec![uuid::KEY.to_owned()],
    }
}

/// The cost of making a generator's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Microseconds to milliseconds.
    Small,
    /// Up to a few seconds of one processor.
    Large,
}

/// The cost of making a generator's values.
#[must_use]
pub fn cost(spec: &GeneratorSpec) -> Cost {
    match spec {
        GeneratorSpec::SshKey(spec) if spec.key_type == SshKeyType::Rsa => Cost::Large,
        _ => Cost::Small,
    }
}

/// The source of a generator's values.
pub enum Source<'a> {
    /// They were made here.
    Made(Values),
    /// A registry issues them.
    Registry(&'a AcrAccessTokenSpec),
}

/// Makes the values of a generator, unless they come from a service.
///
/// # Errors
/// [`MintError`]
pub fn make<'a>(spec: &'a GeneratorSpec, random: &mut impl rand::CryptoRng) -> Result<Source<'a>, MintError> {
    Ok(match spec {
        GeneratorSpec::AcrAccessToken(spec) => Source::Registry(spec),
        GeneratorSpec::Fake(spec) => Source::Made(fake::values(spec)),
        GeneratorSpec::Password(spec) => Source::Made(password::mint(spec, random)?),
        GeneratorSpec::SshKey(spec) => Source::Made(ssh_key::mint(spec, random)?),
        GeneratorSpec::Uuid(_) => Source::Made(uuid::mint(random)),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_keys_are_those_of_the_values() {
        let specs = [
            GeneratorSpec::Password(Box::default()),
            GeneratorSpec::Uuid(Box::default()),
            GeneratorSpec::SshKey(Box::new(serde_json::from_str(r#"{"keyType":"ed25519"}"#).unwrap())),
            GeneratorSpec::Fake(Box::new(serde_json::from_str(r#"{"data":{"a":"1","b":"2"}}"#).unwrap())),
        ];
        for spec in specs {
            let Source::Made(values) = make(&spec, &mut rand::rng()).unwrap() else { panic!("{spec:?}") };
            assert_eq!(values.keys().cloned().collect::<Vec<_>>(), keys(&spec), "{spec:?}");
            assert!(values.values().all(|value| !value.expose_secret().is_empty()));
            assert!(!format!("{values:?}").contains('1'), "no value is printed");
        }
    }
}
