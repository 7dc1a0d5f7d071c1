//! Escaping for HTML, JavaScript and URLs.

use super::{Result, text_of};
use crate::budget::Buffer;
use crate::format::quote;
use crate::functions::Call;
use crate::parser::decode;
use crate::value::Value;

pub(super) fn html(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let text = text_of(arguments, call.budget)?;
    let mut output = Buffer::default();
    for byte in &*text {
        let escaped: &[u8] = match byte {
            0 => "\u{fffd}".as_bytes(),
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            other => std::slice::from_ref(other),
        };
        output.push(escaped, call.budget)?;
    }
    Ok(Value::String(output.finish().into()))
}

pub(super) fn js(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let text = text_of(arguments, call.budget)?;
    let mut output = Buffer::default();
    let mut rest = &*text;
    while let Some((character, len)) = decode(rest) {
        let (own, after) = rest.split_at(len);
        rest = after;
        match character {
            '\\' | '\'' | '"' => output.push(&[b"\\", own].concat(), call.budget)?,
            '\0'..' ' | '<' | '>' | '&' | '=' => {
                output.push(format!("\\u{:04X}", u32::from(character)).as_bytes(), call.budget)?;
            }
            _ if character.is_ascii() || quote::is_printable(character) => output.push(own, call.budget)?,
            _ => output.push(format!("\\u{:04X}", u32::from(character)).as_bytes(), call.budget)?,
        }
    }
    Ok(Value::String(output.finish().into()))
}

pub(super) fn urlquery(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let text = text_of(arguments, call.budget)?;
    let mut output = Buffer::default();
    for byte in &*text {
        match byte {
            b' ' => output.push(b"+", call.budget)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                output.push(&[*byte], call.budget)?;
            }
            other => output.push(format!("%{other:02X}").as_bytes(), call.budget)?,
        }
    }
    Ok(Value::String(output.finish().into()))
}
