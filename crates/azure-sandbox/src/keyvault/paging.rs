//! Lists: pages of at most 25 items, with an absolute link to the next.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::message::parameter;

use super::errors::KeyVaultError;

/// Key Vault returns no more items per page.
const LARGEST_PAGE: usize = 25;

/// The requested page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// The number of items, 1 to 25.
    pub(crate) size: usize,
    /// The item before the first one.
    pub(crate) after: Option<String>,
}

impl PageRequest {
    /// From the query of a request.
    pub(crate) fn parse(query: &str) -> Result<Self, KeyVaultError> {
        let size = match parameter(query.as_bytes(), "maxresults") {
            None => LARGEST_PAGE,
            Some(text) => text.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size)).ok_or_else(|| {
                KeyVaultError::bad_parameter(format!(
                    "The maxresults parameter must be a number between 1 and {LARGEST_PAGE}: {text}"
                ))
            })?,
        };
        let after = match parameter(query.as_bytes(), "$skiptoken") {
            None => None,
            Some(token) => Some(marker(&token).ok_or_else(|| {
                KeyVaultError::bad_parameter("The skiptoken parameter is not one of a nextLink.".to_owned())
            })?),
        };
        Ok(Self { size, after })
    }
}

fn marker(token: &str) -> Option<String> {
    let decoded: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    decoded.get("NextMarker")?.as_str().map(str::to_owned)
}

/// A page in an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) value: Vec<T>,
    pub(crate) next_link: Option<String>,
}

/// The items of a page, each with the marker after which the next page can start.
pub(crate) fn page<T>(
    items: impl Iterator<Item = (String, T)>,
    size: usize,
    link: impl FnOnce(&str) -> String,
) -> Page<T> {
    let mut items = items;
    let mut last = None;
    let value = items
        .by_ref()
        .take(size)
        .map(|(marker, item)| {
            last = Some(marker);
            item
        })
        .collect();
    let next_link = match (items.next(), last) {
        (Some(_), Some(marker)) => Some(link(&skip_token(&marker))),
        _ => None,
    };
    Page { value, next_link }
}

fn skip_token(marker: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!({ "NextMarker": marker, "TargetLocation": 0 }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> impl Iterator<Item = (String, Value)> {
        (0..count).map(|index| (format!("n{index}"), json!(index)))
    }

    #[test]
    fn the_last_page_has_no_next_link() {
        assert!(page(names(25), 25, str::to_owned).next_link.is_none());
        assert!(page(names(0), 25, str::to_owned).next_link.is_none());
    }

    #[test]
    fn a_page_that_is_not_the_last_names_the_item_after_which_the_next_starts() {
        let page = page(names(26), 25, |token| format!("https://v.vault.azure.net/secrets?$skiptoken={token}"));
        assert_eq!(page.value.len(), 25);
        let link = url::Url::parse(&page.next_link.unwrap()).unwrap();
        let request = PageRequest::parse(link.query().unwrap()).unwrap();
        assert_eq!(request, PageRequest { size: 25, after: Some("n24".to_owned()) });
    }

    #[test]
    fn maxresults_outside_1_to_25_is_refused() {
        assert_eq!(PageRequest::parse("maxresults=5").unwrap().size, 5);
        for query in ["maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=!"] {
            assert!(PageRequest::parse(query).is_err(), "{query}");
        }
    }
}
