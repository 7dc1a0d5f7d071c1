//! From the fetched values to the data of a Secret or of its template: rewrites or converts keys, decodes values, and
//! merges everything, as ESO 2.9.0 does.
//!
//! Every entry of `dataFrom` in order comes first, then every entry of `data`; a later key replaces an earlier one. If
//! two keys of one set are rewritten to the same key, the value of the alphabetically last one wins (in ESO, any of
//! them).

mod decode;
mod error;
mod json;
mod keys;
mod merge;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret as _;

use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::{
    ConversionStrategy, DecodingStrategy, ExternalSecretDataFrom, Find, NullBytePolicy, RemoteRef,
};
use crate::budget::Budget;
use crate::template::Engine;

use super::{SecretData, SecretValue};
use rewrite::Transformer;

pub use decode::{Undecodable, decode};
pub use error::DataError;

/// What was fetched for an ExternalSecret.
#[derive(Clone, Default)]
pub struct Fetched {
    /// One set of values per entry of `spec.dataFrom`; `None` if the provider has nothing and the deletionPolicy allows
    /// that.
    pub sets: Vec<Option<SecretData>>,
    /// One value per entry of `spec.data`, with the same meaning of `None`.
    pub values: Vec<Option<SecretValue>>,
    /// Values that replace the set of an entry of `spec.dataFrom`, because they are in the target already, under these
    /// keys.
    pub kept: BTreeMap<usize, SecretData>,
}

/// Assembles the data that `spec` asks for.
///
/// `engine` renders `rewrite.transform`. It has the functions of ESO's templates and the default delimiters, and
/// renders a missing key as `<no value>`. Everything else is charged to `budget`.
///
/// # Errors
/// [`DataError`] if a value cannot be decoded, keys collide or are invalid, a rewrite fails, or it exceeds the budget.
pub fn assemble(
    spec: &ExternalSecretSpec,
    fetched: Fetched,
    engine: &Engine,
    budget: &Budget,
) -> Result<SecretData, DataError> {
    assemble_noting(spec, fetched, engine, budget, |_, _| {})
}

/// The same, and the keys that each entry of `spec.dataFrom` contributes.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_noting(
    spec: &ExternalSecretSpec,
    mut fetched: Fetched,
    engine: &Engine,
    budget: &Budget,
    mut note: impl FnMut(usize, &SecretData),
) -> Result<SecretData, DataError> {
    let mut data = SecretData::new();
    let mut transformer = Transformer::new(engine, budget);
    for (index, (entry, set)) in spec.data_from.iter().zip(fetched.sets).enumerate() {
        let set = match (fetched.kept.remove(&index), set) {
            (Some(kept), _) => kept,
            (None, Some(set)) => transformed(&format!("spec.dataFrom[{index}]"), entry, set, &mut transformer)?,
            (None, None) => continue,
        };
        note(index, &set);
        data.extend(set);
    }
    for (index, (entry, value)) in spec.data.iter().zip(fetched.values).enumerate() {
        let Some(value) = value else { continue };
        let field = format!("spec.data[{index}].remoteRef");
        let strategies = Strategies::of_reference(&entry.remote_ref);
        let value = strategies.apply(&field, &entry.secret_key, value, budget)?;
        data.insert(entry.secret_key.clone(), value);
    }
    Ok(data)
}

/// The keys that an entry of `spec.dataFrom` turns these keys into; `None` if that depends on the values.
#[must_use]
pub fn keys_of(
    entry: &ExternalSecretDataFrom,
    keys: impl IntoIterator<Item = String>,
    engine: &Engine,
    budget: &Budget,
) -> Option<BTreeSet<String>> {
    let empty = SecretValue::new(Vec::new().into());
    let set = keys.into_iter().map(|key| (key, SecretValue::clone(&empty))).collect();
    let set = transformed("", entry, set, &mut Transformer::new(engine, budget)).ok()?;
    Some(set.into_keys().collect())
}

/// One set of values, changed as its entry of `dataFrom` specifies.
fn transformed(
    field: &str,
    entry: &ExternalSecretDataFrom,
    mut set: SecretData,
    transformer: &mut Transformer<'_>,
) -> Result<SecretData, DataError> {
    for (index, rewrite) in entry.rewrite.iter().enumerate() {
        set = rewrite::apply(&format!("{field}.rewrite[{index}]"), rewrite, set, transformer)?;
    }
    let (name, strategies) = match (&entry.find, &entry.extract) {
        (Some(find), _) => ("find", Strategies::of_find(find)),
        (None, Some(reference)) => ("extract", Strategies::of_reference(reference)),
        (None, None) => ("sourceRef", Strategies::default()),
    };
    let source = format!("{field}.{name}");
    if entry.rewrite.is_empty() && name != "sourceRef" {
        set = keys::convert(&source, strategies.conversion, set)?;
    }
    set.remove("");
    if let Some(key) = set.keys().find(|key| !keys::is_valid(key)) {
        return Err(DataError::InvalidKey { field: field.to_owned(), key: keys::shortened(key) });
    }
    set.into_iter()
        .map(|(key, value)| {
            let value = strategies.apply(&source, &key, value, transformer.budget())?;
            Ok((key, value))
        })
        .collect()
}

/// How to convert values, and names that are not valid keys.
#[derive(Clone, Copy, Default)]
struct Strategies {
    conversion: ConversionStrategy,
    decoding: DecodingStrategy,
    null_bytes: NullBytePolicy,
}

impl Strategies {
    fn of_reference(reference: &RemoteRef) -> Self {
        Self {
            conversion: reference.conversion_strategy.unwrap_or_default(),
            decoding: reference.decoding_strategy.unwrap_or_default(),
            null_bytes: reference.null_byte_policy.unwrap_or_default(),
        }
    }

    fn of_find(find: &Find) -> Self {
        Self {
            conversion: find.conversion_strategy.unwrap_or_default(),
            decoding: find.decoding_strategy.unwrap_or_default(),
            null_bytes: find.null_byte_policy.unwrap_or_default(),
        }
    }

    /// Decodes the value of `key`, and checks the result.
    fn apply(self, field: &str, key: &str, value: SecretValue, budget: &Budget) -> Result<SecretValue, DataError> {
        if self.decoding != DecodingStrategy::None || self.null_bytes == NullBytePolicy::Fail {
            budget.values(value.expose_secret().len()).map_err(|error| DataError::budget(field, error))?;
        }
        let value = decode(self.decoding, value).map_err(|Undecodable| DataError::Undecodable {
            field: format!("{field}.decodingStrategy"),
            key: key.to_owned(),
            strategy: self.decoding,
        })?;
        if self.null_bytes == NullBytePolicy::Fail && decode::has_null_byte(&value) {
            return Err(DataError::NullByte { field: format!("{field}.nullBytePolicy"), key: key.to_owned() });
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
