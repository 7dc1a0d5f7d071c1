//! Prints JSON as Go's `encoding/json` does.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::json::Json;

/// Which characters of strings are written as `\u003c` and so on, without need.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// `<`, `>` and `&`, as Go does unless told otherwise.
    Html,
    /// None.
    Needed,
}

pub(super) fn print(value: &Json, escape: Escape) -> Zeroizing<Vec<u8>> {
    // As long as it can become, so that it does not grow and leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(max_len(value)));
    write(&mut text, value, escape);
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}

fn max_len(value: &Json) -> usize {
    // A float with 17 digits, its sign, point and exponent, or up to 21 digits before the point.
    const NUMBER: usize = 32;
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(_) => NUMBER,
        Json::String(text) => max_string_len(text),
        Json::Array(items) => 2 + items.iter().map(|item| max_len(item) + 1).sum::<usize>(),
        Json::Object(entries) => {
            2 + entries.iter().map(|(name, item)| max_string_len(name) + max_len(item) + 2).sum::<usize>()
        }
    }
}

fn max_string_len(text: &str) -> usize {
    let len = |character| match character {
        '"' | '\\' => 2,
        '<' | '>' | '&' | '\0'..='\u{1F}' | '\u{2028}' | '\u{2029}' => 6,
        other => other.len_utf8(),
    };
    2 + text.chars().map(len).sum::<usize>()
}

fn write(out: &mut String, value: &Json, escape: Escape) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => write_number(out, *number),
        Json::String(text) => write_string(out, text, escape),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item, escape);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (name, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, name, escape);
                out.push(':');
                write(out, item, escape);
            }
            out.push('}');
        }
    }
}

/// Very large and very small numbers have an exponent, with its sign.
fn write_number(out: &mut String, number: f64) {
    let size = number.abs();
    // Writing to a String cannot fail.
    let _ = if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = Zeroizing::new(format!("{number:e}"));
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
            _ => write!(out, "{}", text.as_str()),
        }
    } else {
        write!(out, "{number}")
    };
}

fn write_string(out: &mut String, text: &str, escape: Escape) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            '<' | '>' | '&' if escape == Escape::Html => drop(write!(out, "\\u{:04x}", u32::from(character))),
            '\0'..='\u{1F}' | '\u{2028}' | '\u{2029}' => drop(write!(out, "\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}
