//! JSON, as Go's `encoding/json` writes it. Those that do not start with `must` swallow errors, as
//! in sprig.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::characters;
use super::convert::argument;
use super::json_reader::read;
use super::mistaken::{self, Wanted};
use super::{Result, Table, mismatch, written};
use crate::budget::{Budget, Buffer};
use crate::functions::{Call, Function, FunctionError};
use crate::parser::decode;
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[
    ("fromJson", Function::fixed(&[Type::String], from_json)),
    ("mustFromJson", Function::fixed(&[Type::String], must_from_json)),
    ("mustToJson", Function::fixed(&[Type::Any], |arguments, call| to_json(arguments, COMPACT, call))),
    ("mustToPrettyJson", Function::fixed(&[Type::Any], |arguments, call| to_json(arguments, PRETTY, call))),
    ("mustToRawJson", Function::fixed(&[Type::Any], |arguments, call| to_json(arguments, RAW, call))),
    ("toJson", Function::fixed(&[Type::Any], |arguments, call| or_empty(to_json(arguments, COMPACT, call)))),
    ("toPrettyJson", Function::fixed(&[Type::Any], |arguments, call| or_empty(to_json(arguments, PRETTY, call)))),
    ("toRawJson", Function::fixed(&[Type::Any], |arguments, call| to_json(arguments, RAW, call))),
];

/// An empty string for what JSON has no form of.
fn or_empty(result: Result) -> Result {
    match result {
        Err(FunctionError::Failed(_)) => Ok(Value::string("")),
        other => other,
    }
}

/// How JSON is written.
#[derive(Clone, Copy)]
struct Style {
    indent: &'static [u8],
    /// Characters that have a meaning in HTML are escaped.
    escapes_html: bool,
}

const COMPACT: Style = Style { indent: b"", escapes_html: true };
const PRETTY: Style = Style { indent: b"  ", escapes_html: true };
const RAW: Style = Style { indent: b"", escapes_html: false };

fn to_json(arguments: &[Value], style: Style, call: &mut Call<'_>) -> Result {
    let mut writer = Writer { output: Buffer::default(), style, level: 0, budget: call.budget };
    writer.value(argument(arguments)?)?;
    Ok(written(writer.output))
}

fn from_json(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    match read(text, call.budget) {
        Ok(document) => Ok(document.value),
        // Better on purpose: nobody could see why there is nothing.
        Err(FunctionError::Failed(_)) if mistaken::has_byte_order_mark(text) => {
            Err(mistaken::or(text, Wanted::Json, ""))
        }
        Err(FunctionError::Failed(_)) => Ok(Value::Nil),
        Err(exceeded) => Err(exceeded),
    }
}

fn must_from_json(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    let document = match read(text, call.budget) {
        Err(FunctionError::Failed(_)) if mistaken::has_byte_order_mark(text) => {
            return Err(mistaken::or(text, Wanted::Json, ""));
        }
        read => read?,
    };
    if document.has_overflow {
        return Err(FunctionError::new("json: cannot unmarshal number into Go value of type float64"));
    }
    Ok(document.value)
}

struct Writer<'b> {
    output: Buffer,
    style: Style,
    level: usize,
    budget: &'b mut Budget,
}

impl Writer<'_> {
    fn push(&mut self, text: &[u8]) -> Result<()> {
        Ok(self.output.push(text, self.budget)?)
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        self.budget.steps(1)?;
        match value {
            Value::Nil => self.push(b"null"),
            Value::Bool(boolean) => self.push(boolean.to_string().as_bytes()),
            Value::Int(_, number) => self.push(number.to_string().as_bytes()),
            Value::Uint(_, number) => self.push(number.to_string().as_bytes()),
            Value::Float(number) => self.float(*number),
            Value::Complex(..) => Err(FunctionError::new("json: unsupported type: complex128")),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => {
                self.budget.room(bytes.len() / 3 * 4 + 4)?;
                let encoded = zeroize::Zeroizing::new(STANDARD.encode(&**bytes));
                self.string(encoded.as_bytes())
            }
            Value::List(list) if list.is_nil() => self.push(b"null"),
            Value::List(list) => self.container([b'[', b']'], list.iter(), |writer, item| writer.value(&item)),
            Value::Map(map) => self.container([b'{', b'}'], map.snapshot().iter(), |writer, (key, value)| {
                writer.string(key)?;
                writer.push(if writer.style.indent.is_empty() { b":" } else { b": " })?;
                writer.value(value)
            }),
            Value::Object(object) => self.value(&object.plain()),
        }
    }

    fn container<T>(
        &mut self,
        [open, close]: [u8; 2],
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        self.budget.descend()?;
        let written = self.items([open, close], items, write);
        // Also after an error, which may be swallowed.
        self.budget.ascend();
        written
    }

    fn items<T>(
        &mut self,
        [open, close]: [u8; 2],
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        self.push(&[open])?;
        let is_empty = items.len() == 0;
        self.level += 1;
        for (i, item) in items.enumerate() {
            self.push(if i > 0 { b"," } else { b"" })?;
            self.line()?;
            write(self, item)?;
        }
        self.level -= 1;
        if !is_empty {
            self.line()?;
        }
        self.push(&[close])
    }

    /// A new line, where lines are indented.
    fn line(&mut self) -> Result<()> {
        if self.style.indent.is_empty() {
            return Ok(());
        }
        self.push(b"\n")?;
        (0..self.level).try_for_each(|_| self.push(self.style.indent))
    }

    /// As JavaScript writes numbers.
    fn float(&mut self, number: f64) -> Result<()> {
        if !number.is_finite() {
            let shown = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(FunctionError::new(format!("json: unsupported value: {shown}")));
        }
        let magnitude = number.abs();
        if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
            return self.push(number.to_string().as_bytes());
        }
        let text = format!("{number:e}");
        let sign = if text.contains("e-") { "" } else { "+" };
        self.push(text.replace('e', &format!("e{sign}")).as_bytes())
    }

    fn string(&mut self, text: &[u8]) -> Result<()> {
        self.push(b"\"")?;
        let mut rest = text;
        while let Some((character, len)) = decode(rest) {
            let is_invalid = character == char::REPLACEMENT_CHARACTER && len == 1;
            rest = rest.get(len..).unwrap_or_default();
            match character {
                '"' => self.push(b"\\\"")?,
                '\\' => self.push(b"\\\\")?,
                '\n' => self.push(b"\\n")?,
                '\r' => self.push(b"\\r")?,
                '\t' => self.push(b"\\t")?,
                '\u{8}' => self.push(b"\\b")?,
                '\u{c}' => self.push(b"\\f")?,
                '<' | '>' | '&' if self.style.escapes_html => self.escape(character)?,
                '\0'..' ' | '\u{2028}' | '\u{2029}' => self.escape(character)?,
                _ if is_invalid => self.push(b"\\ufffd")?,
                _ => characters::push(&mut self.output, character, self.budget)?,
            }
        }
        self.push(b"\"")
    }

    fn escape(&mut self, character: char) -> Result<()> {
        self.push(format!("\\u{:04x}", u32::from(character)).as_bytes())
    }
}
