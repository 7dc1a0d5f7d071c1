//! Splitting and joining strings.

use std::collections::BTreeMap;

use super::convert::{string, string_list, strings};
use super::strings::find;
use super::{Result, STRINGS, Table, mismatch, written};
use crate::budget::Buffer;
use crate::functions::{Call, Function};
use crate::parser::decode;
use crate::value::{Map, TEXT_OVERHEAD, Text, Type, Value, map_size};

pub(super) const TABLE: Table = &[
    ("join", Function::fixed(&[Type::String, Type::Any], join)),
    ("sortAlpha", Function::fixed(&[Type::Any], sort_alpha)),
    ("split", Function::fixed(&[Type::String, Type::String], split)),
    ("splitList", Function::fixed(&[Type::String, Type::String], split_list)),
    ("splitn", Function::fixed(&[Type::String, Type::INT, Type::String], splitn)),
];

/// The parts of `text` between separators, at most `limit`; with an empty separator, its characters.
fn parts(text: &[u8], separator: &[u8], limit: usize, call: &mut Call<'_>) -> Result<Vec<Text>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < limit {
        let found = if separator.is_empty() {
            // The last character is the remainder.
            decode(rest).map(|(_, len)| len).filter(|&len| len < rest.len())
        } else {
            find(rest, separator)
        };
        let Some(end) = found else { break };
        call.budget.steps(1)?;
        parts.push(Text::from(rest.get(..end).unwrap_or_default()));
        rest = rest.get(end + separator.len()..).unwrap_or_default();
    }
    if limit > 0 && !(separator.is_empty() && text.is_empty()) {
        parts.push(Text::from(rest));
    }
    Ok(parts)
}

/// Parts under the keys `_0`, `_1` and so on.
fn numbered(parts: Vec<Text>, call: &mut Call<'_>) -> Result {
    call.budget.room(map_size(parts.len()) + parts.len() * (TEXT_OVERHEAD + 16))?;
    let entry = |(i, part)| (Text::from(format!("_{i}").as_str()), Value::String(part));
    let entries: BTreeMap<_, _> = parts.into_iter().enumerate().map(entry).collect();
    Ok(Value::Map(Map::from_entries(&Type::String, entries)))
}

fn split(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(separator), Value::String(text)] = arguments else { return Err(mismatch()) };
    let parts = parts(text, separator, usize::MAX, call)?;
    numbered(parts, call)
}

fn splitn(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(separator), Value::Int(_, limit), Value::String(text)] = arguments else {
        return Err(mismatch());
    };
    let parts = parts(text, separator, usize::try_from(*limit).unwrap_or(usize::MAX), call)?;
    numbered(parts, call)
}

fn split_list(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(separator), Value::String(text)] = arguments else { return Err(mismatch()) };
    parts(text, separator, usize::MAX, call).map(string_list)
}

fn join(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(separator), items] = arguments else { return Err(mismatch()) };
    let mut output = Buffer::default();
    for (i, text) in strings(items, call.budget)?.iter().enumerate() {
        output.push(if i > 0 { separator } else { b"" }, call.budget)?;
        output.push(text, call.budget)?;
    }
    Ok(written(output))
}

fn sort_alpha(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    if !matches!(value, Value::List(_) | Value::Bytes(_)) {
        return Ok(string_list(vec![string(value, call.budget)?]));
    }
    let mut texts = strings(value, call.budget)?;
    // Each is compared with roughly log2 of the number of others.
    let rounds = usize::try_from(texts.len().max(2).ilog2()).unwrap_or(usize::MAX);
    call.budget.steps(texts.len().saturating_mul(rounds) / 8)?;
    call.budget.read(texts.iter().map(|text| text.len()).fold(0, usize::saturating_add).saturating_mul(rounds))?;
    texts.sort();
    // As in sprig, a list of strings is sorted in place.
    match value {
        Value::List(list) if Type::Slice(list.element_type()) == STRINGS => {
            list.overwrite(texts);
            Ok(value.clone())
        }
        _ => Ok(string_list(texts)),
    }
}
