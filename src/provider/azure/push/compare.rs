//! Compares an object with its desired state.

use secrecy::ExposeSecret as _;

use super::super::answer::Object;
use super::super::diagnose::Diagnosis;
use super::super::object::ObjectKind;
use super::key::PublicKey;
use super::{MANAGED_BY, MANAGER, OWNER, certificate};
use crate::push::{Content, Ownership, Property, Wanted};
use crate::secret::SecretValue;

/// Who owns an object. `owner` identifies this cluster, if objects are tagged with it.
pub(super) fn ownership(object: &Object, owner: Option<&str>) -> Ownership {
    if object.written.is_of_certificate {
        return Ownership::PartOfCertificate;
    }
    if object.tags.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
        return Ownership::Foreign;
    }
    match (owner, object.tags.get(OWNER)) {
        (Some(own), Some(other)) if own != other => Ownership::OfAnotherCluster,
        _ => Ownership::Ours,
    }
}

/// How an object differs from its desired state.
///
/// # Errors
/// The answer has no value, which must not be taken for a different value.
pub(super) fn content(kind: ObjectKind, object: &Object, wanted: Option<&Wanted>) -> Result<Content, Diagnosis> {
    let Some(wanted) = wanted else { return Ok(Content::Unknown) };
    let differing = differing(object, wanted);
    let is_same = is_same_value(kind, object.value()?, &wanted.value);
    Ok(match (is_same, differing.is_empty()) {
        (true, true) => Content::Equal,
        (true, false) => Content::Properties(differing),
        (false, _) => Content::Value(differing),
    })
}

fn differing(object: &Object, wanted: &Wanted) -> Vec<Property> {
    let mut differing = Vec::new();
    if wanted.content_type.is_some() && wanted.content_type != object.written.content_type {
        differing.push(Property::ContentType);
    }
    if wanted.expires.is_some() && wanted.expires != object.attributes.expires {
        differing.push(Property::Expires);
    }
    // Tags that others have set do not count.
    let tags = wanted.tags.iter().filter(|(name, value)| object.tags.get(*name) != Some(value));
    let dropped = wanted.dropped_tags.iter().filter(|(name, value)| object.tags.get(*name) == Some(value));
    differing.extend(tags.chain(dropped).map(|(name, _)| Property::Tag(name.clone())));
    differing
}

fn is_same_value(kind: ObjectKind, there: &SecretValue, wanted: &SecretValue) -> bool {
    match kind {
        ObjectKind::Secret => there.expose_secret() == wanted.expose_secret(),
        // A vault returns neither private keys nor the original encoding.
        ObjectKind::Key => {
            let read = |value: &SecretValue| serde_json::from_slice::<PublicKey>(value.expose_secret()).ok();
            matches!((read(there), read(wanted)), (Some(there), Some(wanted)) if there.is_same_as(&wanted))
        }
        ObjectKind::Certificate => certificate::leaf(wanted).is_some_and(|leaf| leaf == there.expose_secret()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::super::answer::Attributes;
    use super::*;

    fn wanted(value: &[u8]) -> Wanted {
        Wanted {
            value: Arc::new(value.to_vec().into()),
            content_type: None,
            expires: None,
            tags: BTreeMap::new(),
            dropped_tags: BTreeMap::new(),
        }
    }

    fn object(value: Option<&[u8]>) -> Object {
        let value = value.map(|value| Arc::new(value.to_vec().into()));
        Object::given(value, BTreeMap::new(), Attributes::default())
    }

    #[test]
    fn an_answer_without_a_value_is_no_difference_but_a_failure() {
        let wanted = wanted(b"a");
        for kind in [ObjectKind::Secret, ObjectKind::Key, ObjectKind::Certificate] {
            assert!(content(kind, &object(None), Some(&wanted)).is_err());
            assert_eq!(content(kind, &object(None), None).unwrap(), Content::Unknown);
        }
        let of = |value: &[u8]| content(ObjectKind::Secret, &object(Some(value)), Some(&wanted)).unwrap();
        assert_eq!((of(b"a"), of(b"b")), (Content::Equal, Content::Value(vec![])));
    }
}
