//! Strings.

use super::convert::{printed, string};
use super::{Result, Table, mismatch, part, written};
use crate::budget::Buffer;
use crate::format::quote;
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Type, Value};

use super::characters::{self, characters};

const TEXT: Type = Type::String;

pub(super) const TABLE: Table = &[
    ("cat", Function::variadic(&[], Type::Any, cat)),
    (
        "contains",
        Function::fixed(&[TEXT, TEXT], |arguments, _| test(arguments, |part, text| find(text, part).is_some())),
    ),
    (
        "hasPrefix",
        Function::fixed(&[TEXT, TEXT], |arguments, _| test(arguments, |start, text| text.starts_with(start))),
    ),
    ("hasSuffix", Function::fixed(&[TEXT, TEXT], |arguments, _| test(arguments, |end, text| text.ends_with(end)))),
    ("hello", Function::fixed(&[], |_, _| Ok(Value::string("Hello!")))),
    ("indent", Function::fixed(&[Type::INT, TEXT], |arguments, call| indent(arguments, b"", call))),
    ("initials", Function::fixed(&[TEXT], initials)),
    ("nindent", Function::fixed(&[Type::INT, TEXT], |arguments, call| indent(arguments, b"\n", call))),
    ("nospace", Function::fixed(&[TEXT], nospace)),
    ("plural", Function::fixed(&[TEXT, TEXT, Type::INT], plural)),
    ("quote", Function::variadic(&[], Type::Any, quote)),
    ("repeat", Function::fixed(&[Type::INT, TEXT], repeat)),
    ("replace", Function::fixed(&[TEXT, TEXT, TEXT], replace)),
    ("squote", Function::variadic(&[], Type::Any, squote)),
    ("substr", Function::fixed(&[Type::INT, Type::INT, TEXT], substr)),
    ("trim", Function::fixed(&[TEXT], trim)),
    ("trimAll", Function::fixed(&[TEXT, TEXT], trim_all)),
    (
        "trimPrefix",
        Function::fixed(&[TEXT, TEXT], |arguments, _| {
            let (start, text) = two(arguments)?;
            Ok(part(text.strip_prefix(start).unwrap_or(text)))
        }),
    ),
    (
        "trimSuffix",
        Function::fixed(&[TEXT, TEXT], |arguments, _| {
            let (end, text) = two(arguments)?;
            Ok(part(text.strip_suffix(end).unwrap_or(text)))
        }),
    ),
    ("trimall", Function::fixed(&[TEXT, TEXT], trim_all)),
    ("trunc", Function::fixed(&[Type::INT, TEXT], trunc)),
];

fn two(arguments: &[Value]) -> Result<(&[u8], &[u8])> {
    match arguments {
        [Value::String(a), Value::String(b)] => Ok((a, b)),
        _ => Err(mismatch()),
    }
}

/// Whether the two strings satisfy `holds`.
fn test(arguments: &[Value], holds: fn(&[u8], &[u8]) -> bool) -> Result {
    let (part, text) = two(arguments)?;
    Ok(Value::Bool(holds(part, text)))
}

/// The first position of `part` in `text`, in linear time.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// The non-nil arguments, separated by spaces.
fn cat(arguments: &[Value], call: &mut Call<'_>) -> Result {
    joined(arguments, call, |value, output, call| {
        let text = printed(value, call.budget)?;
        Ok(output.push(&text, call.budget)?)
    })
}

/// The non-nil arguments, each in double quotes.
fn quote(arguments: &[Value], call: &mut Call<'_>) -> Result {
    joined(arguments, call, |value, output, call| {
        let text = string(value, call.budget)?;
        call.budget.room(text.len().saturating_mul(4))?;
        let quoted = zeroize::Zeroizing::new(quote::quoted(&text));
        Ok(output.push(quoted.as_bytes(), call.budget)?)
    })
}

/// The non-nil arguments, each in single quotes, without escaping.
fn squote(arguments: &[Value], call: &mut Call<'_>) -> Result {
    joined(arguments, call, |value, output, call| {
        let text = printed(value, call.budget)?;
        output.push(b"'", call.budget)?;
        output.push(&text, call.budget)?;
        Ok(output.push(b"'", call.budget)?)
    })
}

/// Writes each non-nil argument, separated by spaces.
fn joined(
    arguments: &[Value],
    call: &mut Call<'_>,
    write: impl Fn(&Value, &mut Buffer, &mut Call<'_>) -> Result<()>,
) -> Result {
    let mut output = Buffer::default();
    for (i, value) in arguments.iter().filter(|value| !matches!(value, Value::Nil)).enumerate() {
        if i > 0 {
            output.push(b" ", call.budget)?;
        }
        write(value, &mut output, call)?;
    }
    Ok(written(output))
}

/// A count, which must not be negative.
fn count(number: i64) -> Result<usize> {
    usize::try_from(number).map_err(|_| FunctionError::new("strings: negative Repeat count"))
}

/// Each line, indented by spaces.
fn indent(arguments: &[Value], before: &[u8], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, spaces), Value::String(text)] = arguments else { return Err(mismatch()) };
    let spaces = count(*spaces)?;
    let mut output = Buffer::default();
    output.push(before, call.budget)?;
    for (i, line) in text.split(|&byte| byte == b'\n').enumerate() {
        output.push(if i > 0 { b"\n" } else { b"" }, call.budget)?;
        output.fill(b' ', spaces, call.budget)?;
        output.push(line, call.budget)?;
    }
    Ok(written(output))
}

/// The bytes of a string as characters of Latin-1, which is how sprig's library reads them here.
fn bytes_as_characters(text: &[u8]) -> impl Iterator<Item = char> {
    text.iter().map(|&byte| char::from(byte))
}

/// The first byte of each word.
fn initials(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    let mut output = Buffer::default();
    let mut is_start = true;
    for character in bytes_as_characters(text) {
        if character.is_whitespace() {
            is_start = true;
        } else if std::mem::take(&mut is_start) {
            characters::push(&mut output, character, call.budget)?;
        }
    }
    Ok(written(output))
}

/// The string without white space. As in sprig, a string that is not ASCII and contains white space is damaged.
fn nospace(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    if !bytes_as_characters(text).any(char::is_whitespace) {
        return Ok(Value::String(text.clone()));
    }
    let mut output = Buffer::default();
    for character in bytes_as_characters(text).filter(|character| !character.is_whitespace()) {
        characters::push(&mut output, character, call.budget)?;
    }
    Ok(written(output))
}

fn plural(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [one, many, Value::Int(_, count)] = arguments else { return Err(mismatch()) };
    Ok(if *count == 1 { one } else { many }.clone())
}

fn repeat(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, times), Value::String(text)] = arguments else { return Err(mismatch()) };
    let times = count(*times)?;
    call.budget.room(times.saturating_mul(text.len()))?;
    Ok(Value::String(text.repeat(if text.is_empty() { 0 } else { times }).into()))
}

/// Each occurrence of `old` replaced by `new`. An empty `old` occurs before each character and at the end.
fn replace(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(old), Value::String(new), Value::String(text)] = arguments else { return Err(mismatch()) };
    let mut output = Buffer::default();
    let mut rest: &[u8] = text;
    if old.is_empty() {
        while let Some((_, len)) = crate::parser::decode(rest) {
            output.push(new, call.budget)?;
            output.push(rest.get(..len).unwrap_or_default(), call.budget)?;
            rest = rest.get(len..).unwrap_or_default();
        }
        output.push(new, call.budget)?;
        return Ok(written(output));
    }
    while let Some(at) = find(rest, old) {
        output.push(rest.get(..at).unwrap_or_default(), call.budget)?;
        output.push(new, call.budget)?;
        rest = rest.get(at + old.len()..).unwrap_or_default();
    }
    output.push(rest, call.budget)?;
    Ok(written(output))
}

/// The bytes from `start` up to `end`, exclusive. A negative start means the beginning; an end that is negative or too
/// large means the end.
fn substr(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Int(_, start), Value::Int(_, end), Value::String(text)] = arguments else { return Err(mismatch()) };
    let end_of_text = text.len();
    let (start, end) = match (usize::try_from(*start), usize::try_from(*end)) {
        (Err(_), end) => (Ok(0), end),
        (start, Ok(end)) if end <= end_of_text => (start, Ok(end)),
        (start, _) => (start, Ok(end_of_text)),
    };
    let found = start.ok().zip(end.ok()).and_then(|(start, end)| text.get(start..end));
    let found = found.ok_or_else(|| FunctionError::new("slice bounds out of range"))?;
    Ok(part(found))
}

/// The first `length` bytes; the last ones if it is negative.
fn trunc(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::Int(_, length), Value::String(text)] = arguments else { return Err(mismatch()) };
    let len = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    let kept =
        if *length < 0 { text.len().checked_sub(len).and_then(|start| text.get(start..)) } else { text.get(..len) };
    let kept = kept.unwrap_or(text);
    Ok(part(kept))
}

fn trim(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(part(trimmed(text, char::is_whitespace)))
}

/// The string without the characters of another at its start and end.
fn trim_all(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let (cut, text) = two(arguments)?;
    call.budget.room(cut.len().saturating_mul(size_of::<char>()))?;
    let mut cut: Vec<char> = characters(cut).collect();
    cut.sort_unstable();
    Ok(part(trimmed(text, |character| cut.binary_search(&character).is_ok())))
}

/// `text` without the leading and trailing characters that satisfy `is_cut`.
fn trimmed(text: &[u8], is_cut: impl Fn(char) -> bool) -> &[u8] {
    let mut text = text;
    while let Some((character, len)) = crate::parser::decode(text)
        && is_cut(character)
    {
        text = text.get(len..).unwrap_or_default();
    }
    while let Some((character, len)) = last_character(text)
        && is_cut(character)
    {
        text = text.get(..text.len() - len).unwrap_or_default();
    }
    text
}

/// The last character and its length; U+FFFD for a byte that is not UTF-8.
fn last_character(text: &[u8]) -> Option<(char, usize)> {
    text.last()?;
    let valid = (1..=4.min(text.len())).find_map(|len| {
        let end = text.get(text.len() - len..)?;
        let character = std::str::from_utf8(end).ok()?.chars().next()?;
        Some((character, len))
    });
    Some(valid.unwrap_or((char::REPLACEMENT_CHARACTER, 1)))
}
