//! All secrets that match (`dataFrom.find`).

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::diagnose::{Cause, Diagnosis, text};
use super::list::Listed;
use super::object::ObjectId;
use super::vault::VaultClient;
use crate::api::v1::external_secret::Find;
use crate::budget::Budget;
use crate::provider::{Class, Fetched, ProviderError, ReadBudget, ReadOptions, SecretMap, SecretValue, earlier};
use crate::re2::Regex;

/// How many values one search reads concurrently; the gate limits how many requests reach the vault.
const AT_ONCE: usize = 32;

/// The current values of all matching secrets, by name. As in ESO, disabled secrets are left out, and `path` is
/// ignored, because Key Vault has no folders.
///
/// # Errors
/// If the search is invalid, the list or a value cannot be read, or `reads` or `budget` is exceeded.
pub(super) async fn find(
    vault: &Arc<VaultClient>,
    find: &Find,
    options: ReadOptions,
    reads: &ReadBudget,
    budget: &Budget,
) -> Result<Fetched<SecretMap>, ProviderError> {
    let wanted = Wanted::of(find)?;
    let list = vault.list(options).await?;
    let listed = &list.secrets;
    let mut matching = Vec::new();
    for (at, secret) in listed.iter().enumerate() {
        if wanted.is(secret, budget)? {
            ObjectId::listed(secret.name())?;
            matching.push(at);
        }
    }
    let values = futures::stream::iter(matching).map(|at| read(vault, &listed[at], options, reads));
    let mut values = values.buffered(AT_ONCE);
    let mut found = Fetched::plain(SecretMap::new());
    while let Some(read) = values.try_next().await? {
        let Some((name, Fetched { value, expires, .. })) = read else { continue };
        found.value.insert(name, value);
        found.expires = earlier(found.expires, expires);
    }
    Ok(found)
}

/// The value of a listed secret; `None` if it was deleted or disabled since.
async fn read(
    vault: &Arc<VaultClient>,
    secret: &Listed,
    options: ReadOptions,
    budget: &ReadBudget,
) -> Result<Option<(String, Fetched<SecretValue>)>, ProviderError> {
    let id = ObjectId::listed(secret.name())?;
    match vault.object(&id, options).await {
        Ok(read) => {
            let value = read.value().map_err(|reason| all_or_nothing(reason.of(&id)))?.clone();
            budget.charge(&id.name, &value)?;
            Ok(Some((id.name, Fetched { value, mark: None, expires: read.attributes.expires })))
        }
        Err(gone) if matches!(gone.cause.class(), Class::Absent | Class::Disabled) => Ok(None),
        Err(failed) => Err(all_or_nothing(failed).into()),
    }
}

/// For a secret that cannot be read. As in ESO the whole search fails, rather than leaving one out silently.
fn all_or_nothing(reason: Diagnosis) -> Diagnosis {
    let or = reason.hint.as_ref().map(|hint| format!("{hint}; or ")).unwrap_or_default();
    let hint = format!("{or}have dataFrom.find leave it out, which takes all that matches or nothing");
    reason.hint(hint)
}

/// The criteria of a search, all of which must match.
pub(super) struct Wanted<'a> {
    name: Option<Regex>,
    tags: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Wanted<'a> {
    /// From `dataFrom.find`.
    ///
    /// # Errors
    /// If the regular expression is invalid.
    pub(super) fn of(find: &'a Find) -> Result<Self, Diagnosis> {
        // As in ESO, an empty expression counts as absent.
        let regexp = find.name.as_ref().and_then(|name| name.regexp.as_deref()).filter(|regexp| !regexp.is_empty());
        let name = regexp.map(Regex::new).transpose().map_err(|error| {
            let message =
                format!("dataFrom.find.name.regexp is not a regular expression: {}", text::stable(&error.to_string()));
            Diagnosis::new(Cause::ReferenceInvalid, message)
                .hint("correct it; the syntax is that of Go (https://github.com/google/re2/wiki/Syntax)")
        })?;
        Ok(Self { name, tags: find.tags.as_ref() })
    }

    fn is(&self, secret: &Listed, budget: &Budget) -> Result<bool, Diagnosis> {
        Ok(secret.is_enabled() && self.tags(&secret.tags) && self.names(secret.name(), budget)?)
    }

    /// Whether a secret with this name matches.
    ///
    /// # Errors
    /// If `budget` is used up.
    pub(super) fn names(&self, name: &str, budget: &Budget) -> Result<bool, Diagnosis> {
        let Some(regex) = &self.name else { return Ok(true) };
        budget.search(|allowance| regex.is_match(name.as_bytes(), allowance)).map_err(|error| {
            Diagnosis::new(Cause::ReferenceInvalid, "dataFrom.find cannot search the names of all secrets of the vault")
                .hint(error.to_string())
        })
    }

    /// Whether a secret with these tags matches.
    pub(super) fn tags(&self, tags: &BTreeMap<String, String>) -> bool {
        self.tags.into_iter().flatten().all(|(name, value)| tags.get(name) == Some(value))
    }

    /// Whether tags are a criterion.
    pub(super) fn has_tags(&self) -> bool {
        self.tags.is_some_and(|tags| !tags.is_empty())
    }
}
