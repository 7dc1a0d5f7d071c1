//! Wraps and shortens lines. As in sprig's library, widths are in bytes.

use super::{Result, Table, mismatch, written};
use crate::budget::Buffer;
use crate::functions::{Call, Function};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[
    ("abbrev", Function::fixed(&[Type::INT, Type::String], abbrev)),
    ("abbrevboth", Function::fixed(&[Type::INT, Type::INT, Type::String], abbrevboth)),
    ("wrap", Function::fixed(&[Type::INT, Type::String], wrap)),
    ("wrapWith", Function::fixed(&[Type::INT, Type::String, Type::String], wrap_with)),
];

const ELLIPSIS: &[u8] = b"...";

/// Shortens a string to a width; what is cut off is replaced by an ellipsis.
fn abbrev(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, width), value @ Value::String(text)] = arguments else { return Err(mismatch()) };
    if *width < 4 {
        return Ok(value.clone());
    }
    abbreviated(text, 0, usize::try_from(*width).unwrap_or(usize::MAX), call)
}

/// Shortens a string to a width at both ends; `left` is roughly where the remaining part begins.
fn abbrevboth(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, left), Value::Int(_, width), value @ Value::String(text)] = arguments else {
        return Err(mismatch());
    };
    if *width < 4 || *left > 0 && *width < 7 {
        return Ok(value.clone());
    }
    abbreviated(text, usize::try_from(*left).unwrap_or(0), usize::try_from(*width).unwrap_or(usize::MAX), call)
}

fn abbreviated(text: &[u8], offset: usize, width: usize, call: &mut Call<'_>) -> Result {
    let mut output = Buffer::default();
    if text.len() <= width {
        output.push(text, call.budget)?;
        return Ok(written(output));
    }
    let kept = width - ELLIPSIS.len();
    let from_end = text.len() - kept;
    let offset = offset.min(text.len()).min(from_end);
    if offset <= 4 {
        output.push(text.get(..kept).unwrap_or_default(), call.budget)?;
        output.push(ELLIPSIS, call.budget)?;
    } else if width < 7 {
        // Too narrow for two ellipses, so nothing is shown.
    } else if offset + kept < text.len() {
        output.push(ELLIPSIS, call.budget)?;
        let both = kept - ELLIPSIS.len();
        output.push(text.get(offset..offset + both).unwrap_or_default(), call.budget)?;
        output.push(ELLIPSIS, call.budget)?;
    } else {
        output.push(ELLIPSIS, call.budget)?;
        output.push(text.get(from_end..).unwrap_or_default(), call.budget)?;
    }
    Ok(written(output))
}

/// What to do with words that are longer than a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LongWords {
    Keep,
    Break,
}

fn wrap(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, width), Value::String(text)] = arguments else { return Err(mismatch()) };
    wrapped(text, *width, b"\n", LongWords::Keep, call)
}

fn wrap_with(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, width), Value::String(separator), Value::String(text)] = arguments else {
        return Err(mismatch());
    };
    let separator: &[u8] = if separator.is_empty() { b"\n" } else { separator };
    wrapped(text, *width, separator, LongWords::Break, call)
}

fn wrapped(text: &[u8], width: i64, separator: &[u8], long_words: LongWords, call: &mut Call<'_>) -> Result {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let mut output = Buffer::default();
    let mut rest = text;
    while rest.len() > width {
        call.budget.steps(1)?;
        if rest.first() == Some(&b' ') {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let is_blank = |&byte: &u8| byte == b' ';
        let (end, skipped) = match rest.get(..=width).and_then(|line| line.iter().rposition(is_blank)) {
            Some(blank) => (blank, 1),
            None if long_words == LongWords::Break => (width, 0),
            None => match rest.get(width..).and_then(|rest| rest.iter().position(is_blank)) {
                Some(blank) => (width + blank, 1),
                None => break,
            },
        };
        output.push(rest.get(..end).unwrap_or_default(), call.budget)?;
        output.push(separator, call.budget)?;
        rest = rest.get(end + skipped..).unwrap_or_default();
    }
    output.push(rest, call.budget)?;
    Ok(written(output))
}
