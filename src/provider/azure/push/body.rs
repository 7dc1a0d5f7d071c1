//! The bodies of writes.

use std::collections::BTreeMap;

use azure_core::Bytes;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::super::diagnose::{Cause, Diagnosis};
use super::super::object::ObjectKind;
use super::certificate;
use crate::provider::write::Kept;
use crate::push::Wanted;

#[derive(Serialize)]
struct Attributes {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
}

#[derive(Serialize)]
struct ChangedAttributes {
    exp: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    attributes: Attributes,
    tags: BTreeMap<&'a str, &'a str>,
}

/// The content type of a certificate in PEM.
#[derive(Serialize)]
struct Policy {
    secret_props: SecretProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretProperties {
    content_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<ChangedAttributes>,
    tags: BTreeMap<&'a str, &'a str>,
}

/// The tags of an object after a write. Existing tags stay, except those that the PushSecret set earlier and no longer sets.
fn tags<'a>(wanted: &'a Wanted, kept: &'a Kept) -> BTreeMap<&'a str, &'a str> {
    kept_tags(wanted, kept).chain(&wanted.tags).map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The existing tags that stay.
pub(super) fn kept_tags<'a>(wanted: &'a Wanted, kept: &'a Kept) -> impl Iterator<Item = (&'a String, &'a String)> {
    kept.tags.iter().filter(|(name, value)| wanted.dropped_tags.get(*name) != Some(value))
}

/// The body of a request that creates a version.
pub(super) fn new_version(kind: ObjectKind, wanted: &Wanted, kept: &Kept) -> Result<Bytes, Diagnosis> {
    let not_text = || Diagnosis::new(Cause::ValueUnusable, "the value is not text");
    let text = std::str::from_utf8(wanted.value.expose_secret()).map_err(|_| not_text())?;
    let key = (kind == ObjectKind::Key).then(|| serde_json::from_str::<&RawValue>(text)).transpose();
    let is_pem = kind == ObjectKind::Certificate && certificate::is_pem(text.as_bytes());
    let is_secret = kind == ObjectKind::Secret;
    body(
        LONGEST_ESCAPE * text.len(),
        &Version {
            value: (kind != ObjectKind::Key).then_some(text),
            key: key.map_err(|_| not_text())?,
            policy: is_pem
                .then_some(Policy { secret_props: SecretProperties { content_type: "application/x-pem-file" } }),
            content_type: wanted.content_type.as_deref().or(kept.content_type.as_deref()).filter(|_| is_secret),
            attributes: Attributes { enabled: true, exp: wanted.expires.filter(|_| is_secret) },
            tags: tags(wanted, kept),
        },
    )
}

/// The body of a request that changes the properties of a version.
pub(super) fn properties(wanted: &Wanted, kept: &Kept) -> Result<Bytes, Diagnosis> {
    body(
        0,
        &Properties {
            content_type: wanted.content_type.as_deref(),
            attributes: wanted.expires.map(|exp| ChangedAttributes { exp }),
            tags: tags(wanted, kept),
        },
    )
}

/// The most bytes that one byte of a value takes in JSON: `\u0000`.
const LONGEST_ESCAPE: usize = 6;
/// Capacity for everything except the value: tags, the content type, field names.
const ROOM: usize = 64 << 10;

/// JSON in a buffer that is wiped. It has room for the value from the start, because growing it would leave a copy in freed memory.
fn body(value: usize, content: &impl Serialize) -> Result<Bytes, Diagnosis> {
    let mut json = Zeroizing::new(Vec::with_capacity(value + ROOM));
    serde_json::to_writer(&mut *json, content)
        .map_err(|_| Diagnosis::new(Cause::ValueUnusable, "the request cannot be written as JSON"))?;
    Ok(Bytes::from_owner(json))
}
