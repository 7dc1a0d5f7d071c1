//! Modifiers for arrays, or for any document.

use super::super::budget::{Budget, TooComplex};
use super::super::bytes::{Bytes, Output};
use super::super::value::Value;
use super::super::{eval, scan};
use super::{is_set, write_list};

/// `@reverse`: the elements of an array or the members of an object from last to first.
pub(super) fn reverse<'d>(document: &'d [u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let value = Value::parse(document);
    let mut items: Vec<_> = value.iter().flat_map(Value::items).collect();
    items.reverse();
    match &value {
        Some(value) if value.is_array() => {
            let elements = items.iter().map(|item| item.value.raw());
            Ok(write_list(elements, [b"[", b"]"], budget)?.finish())
        }
        Some(value) if value.is_object() => {
            let members = items.iter().map(|item| [item.key, b":", item.value.raw()].concat());
            Ok(write_list(members, [b"{", b"}"], budget)?.finish())
        }
        _ => Ok(Bytes::Borrowed(document)),
    }
}

/// How many levels of nested arrays are replaced by their elements.
#[derive(Clone, Copy)]
enum Levels {
    One,
    All,
}

/// `@flatten`: replaces nested arrays by their elements; with `{"deep":true}`, at all levels.
pub(super) fn flatten<'d>(document: &'d [u8], argument: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let array = match Value::parse(document) {
        Some(value) if value.is_array() => value,
        _ => return Ok(Bytes::Borrowed(document)),
    };
    let levels = if is_set(argument, b"deep") { Levels::All } else { Levels::One };
    let inside = flat_elements(&array, levels, budget)?;
    Ok(write_list([&*inside].into_iter(), [b"[", b"]"], budget)?.finish())
}

/// The elements of `array` with commas between them, without brackets.
fn flat_elements(array: &Value<'_>, levels: Levels, budget: &mut Budget) -> Result<Output, TooComplex> {
    budget.descend()?;
    let mut output = Output::default();
    for item in array.items() {
        let inside;
        let element = match levels {
            Levels::All if item.value.is_array() => {
                inside = flat_elements(&item.value, levels, budget)?;
                &*inside
            }
            Levels::One if item.value.is_array() => unwrap(item.value.raw()),
            Levels::All | Levels::One => item.value.raw(),
        };
        let element = trim_space(element);
        if element.is_empty() {
            continue;
        }
        if !output.is_empty() {
            budget.write(&mut output, b",")?;
        }
        budget.write(&mut output, element)?;
    }
    budget.ascend();
    Ok(output)
}

/// `@dig:path`: what the path finds in the document and in every value inside it.
pub(super) fn dig<'d>(document: &[u8], path: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
    let mut found = Vec::new();
    dig_into(Value::parse(document).as_ref(), path, &mut found, budget)?;
    Ok(write_list(found.iter().map(|value| &**value), [b"[", b"]"], budget)?.finish())
}

fn dig_into(
    parent: Option<&Value<'_>>,
    path: &[u8],
    found: &mut Vec<Bytes<'static>>,
    budget: &mut Budget,
) -> Result<(), TooComplex> {
    budget.descend()?;
    if let Some(value) = eval::get(parent.map_or(b"", Value::raw), path, budget)? {
        budget.read(value.raw().len())?;
        found.push(value.into_raw().into_owned());
    }
    for item in parent.iter().flat_map(|parent| parent.items()) {
        dig_into(Some(&item.value), path, found, budget)?;
    }
    budget.ascend();
    Ok(())
}

/// The content of an object or array.
pub(super) fn unwrap(container: &[u8]) -> &[u8] {
    match scan::trim(container) {
        [b'[' | b'{', inside @ .., _] => inside,
        other => other,
    }
}

/// `text` without white space at its ends, as defined by Unicode if it is UTF-8.
fn trim_space(text: &[u8]) -> &[u8] {
    match std::str::from_utf8(text) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => text.trim_ascii(),
    }
}
