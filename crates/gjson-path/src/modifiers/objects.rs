//! Modifiers for objects.

use std::collections::HashMap;

use super::super::budget::{Budget, TooComplex};
use super::super::bytes::{Bytes, Output};
use super::super::scan::Item;
use super::super::strings;
use super::super::value::Value;
use super::lists::unwrap;
use super::{is_set, write_list};

/// `@keys`: the keys of an object; a `null` for each element of an array.
pub(super) fn keys<'d>(document: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let value = Value::parse(document);
    let keys: Vec<&[u8]> = match &value {
        None => Vec::new(),
        Some(object) if object.is_object() => object.items().map(|item| item.key).collect(),
        Some(array) if array.is_array() => array.items().map(|_| b"null" as &[u8]).collect(),
        Some(_) => vec![b"null"],
    };
    Ok(write_list(keys.into_iter(), [b"[", b"]"], budget)?.finish())
}

/// `@values`: the values of an object; an array as it is; another value in an array.
pub(super) fn values<'d>(document: &'d [u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let value = Value::parse(document);
    let values: Vec<Value<'_>> = match &value {
        None => Vec::new(),
        Some(array) if array.is_array() => return Ok(Bytes::Borrowed(document)),
        Some(object) if object.is_object() => object.items().map(|item| item.value).collect(),
        Some(other) => vec![other.clone()],
    };
    Ok(write_list(values.iter().map(Value::raw), [b"[", b"]"], budget)?.finish())
}

/// `@join`: merges all objects in an array into one. Of equal keys the last value wins, in the place of the first; with
/// `{"preserve":true}` all are kept.
pub(super) fn join<'d>(document: &'d [u8], argument: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let array = match Value::parse(document) {
        Some(value) if value.is_array() => value,
        _ => return Ok(Bytes::Borrowed(document)),
    };
    let objects: Vec<Value<'_>> = array.items().map(|item| item.value).filter(Value::is_object).collect();
    if is_set(argument, b"preserve") {
        let insides = objects.iter().map(|object| unwrap(object.raw()));
        return Ok(write_list(insides, [b"{", b"}"], budget)?.finish());
    }
    let mut members: Vec<Item<'_>> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for item in objects.iter().flat_map(Value::items) {
        let place = *places.entry(strings::content(item.key).to_vec()).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.value = item.value,
            None => members.push(item),
        }
    }
    let members = members.iter().map(|item| [item.key, b":", item.value.raw()].concat());
    Ok(write_list(members, [b"{", b"}"], budget)?.finish())
}

/// `@group`: turns an object of arrays into an array of objects.
pub(super) fn group<'d>(document: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let object = match Value::parse(document) {
        Some(value) if value.is_object() => value,
        _ => return Ok(Bytes::Borrowed(b"")),
    };
    let mut groups: Vec<Output> = Vec::new();
    for member in object.items().filter(|member| member.value.is_array()) {
        for (i, element) in member.value.items().enumerate() {
            if i == groups.len() {
                groups.push(Output::default());
            }
            let Some(group) = groups.get_mut(i) else { continue };
            if !group.is_empty() {
                budget.write(group, b",")?;
            }
            budget.write(group, member.key)?;
            budget.write(group, b":")?;
            budget.write(group, element.value.raw())?;
        }
    }
    let objects = groups.iter().map(|group| [b"{", &**group, b"}"].concat());
    Ok(write_list(objects, [b"[", b"]"], budget)?.finish())
}
