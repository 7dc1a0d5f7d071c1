//! The secrets of a vault, without their values.

use std::collections::BTreeMap;

use azure_core::http::pager::PagerContinuation;
use serde::Deserialize;

use super::answer::{Attributes, not_understood};
use super::diagnose::Diagnosis;
use crate::provider::shares::Share;

/// The URL of the next page. Whatever it is, the transport sends requests only to the vault's host.
pub(super) type NextPage = PagerContinuation;

/// A page.
#[derive(Default)]
pub(super) struct Page {
    /// The secrets on it.
    pub(super) secrets: Vec<Listed>,
    /// The next page, if any.
    pub(super) next: Option<NextPage>,
    /// The size in bytes.
    pub(super) size: usize,
}

/// All secrets of a vault.
pub(super) struct List {
    /// The secrets.
    pub(super) secrets: Vec<Listed>,
    /// The number of pages.
    pub(super) pages: usize,
    /// The memory they are charged to.
    pub(super) memory: Share,
}

/// The memory of a listed secret in addition to its text.
const OVERHEAD: usize = 80;
const OVERHEAD_OF_TAG: usize = 64;

/// The entry of a secret in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its URL, as in [`ObjectMark`](crate::provider::ObjectMark).
    pub(super) id: Box<str>,
    /// Its tags.
    pub(super) tags: BTreeMap<String, String>,
    /// Whether it is enabled.
    pub(super) enabled: Option<bool>,
    /// When it was last changed, in seconds since 1970.
    pub(super) updated: Option<i64>,
}

/// `SecretListResult` of the REST API: <https://learn.microsoft.com/rest/api/keyvault/secrets/get-secrets>.
#[derive(Deserialize)]
struct ListResult {
    value: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    id: Option<String>,
    tags: Option<BTreeMap<String, Option<String>>>,
    attributes: Option<Attributes>,
}

impl Page {
    /// Parses an answer.
    ///
    /// # Errors
    /// If the answer is not Key Vault's.
    pub(super) fn parse(body: &[u8], next: Option<NextPage>) -> Result<Self, Diagnosis> {
        let result: ListResult = serde_json::from_slice(body).map_err(|_| not_understood())?;
        // As in ESO, an entry without an ID is not a secret.
        let secrets = result.value.unwrap_or_default().into_iter().filter_map(Item::listed).collect();
        Ok(Self { secrets, next, size: body.len() })
    }
}

impl Item {
    fn listed(self) -> Option<Listed> {
        let tags = self.tags.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, value?)));
        let Attributes { enabled, updated, .. } = self.attributes.unwrap_or_default();
        Some(Listed { id: self.id?.into(), tags: tags.collect(), enabled, updated })
    }
}

impl Listed {
    /// Its name: the last part of its URL.
    pub(super) fn name(&self) -> &str {
        self.id.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    /// Whether its value can be read.
    pub(super) fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        let tags = self.tags.iter().map(|(name, text)| name.len() + text.len() + OVERHEAD_OF_TAG);
        tags.fold(OVERHEAD + self.id.len(), |size, tag| size + tag)
    }
}
