//! From what a generator describes to its values.

use super::error::MintError;
use super::values::Values;
use super::{fake, password, ssh_key, uuid};
use crate::api::generators::{AcrAccessTokenSpec, GeneratorSpec, SshKeyType};

/// The keys of an `ACRAccessToken`.
pub const ACR_KEYS: [&str; 2] = ["username", "password"];

/// Whether anybody can give a value again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// Nobody can: a password, a UUID, a key. It must not be made anew by accident.
    Minted,
    /// It is asked for at each refresh: a token, or what stands in the generator.
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

/// The keys of the values that a generator gives.
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

/// What it costs to make the values of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Microseconds to milliseconds.
    Small,
    /// Up to some seconds of one processor.
    Large,
}

/// What it costs to make the values of a generator.
#[must_use]
pub fn cost(spec: &GeneratorSpec) -> Cost {
    match spec {
        GeneratorSpec::SshKey(spec) if spec.key_type == SshKeyType::Rsa => Cost::Large,
        _ => Cost::Small,
    }
}

/// What makes the values of a generator.
pub enum Source<'a> {
    /// They were made here.
    Made(Values),
    /// A registry gives them.
    Registry(&'a AcrAccessTokenSpec),
}

/// Makes the values of a generator, where no service is asked for them.
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
