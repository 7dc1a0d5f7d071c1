//! JSON as Go's `encoding/json` writes it. As in sprig, the functions without `must` in their names ignore errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use go_json::{Escape, Sink, Style, Writer};

use super::convert::argument;
use super::json_reader::read;
use super::mistaken::{self, Wanted};
use super::{Result, Table, mismatch, written};
use crate::budget::{Budget, Buffer};
use crate::functions::{Call, Function, FunctionError};
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

/// An empty string for a value that cannot be expressed in JSON.
fn or_empty(result: Result) -> Result {
    match result {
        Err(FunctionError::Failed(_)) => Ok(Value::string("")),
        other => other,
    }
}

const COMPACT: Style = Style { indent: b"", escape: Escape::Html };
const PRETTY: Style = Style { indent: b"  ", escape: Escape::Html };
const RAW: Style = Style { indent: b"", escape: Escape::Needed };

fn to_json(arguments: &[Value], style: Style, call: &mut Call<'_>) -> Result {
    let mut writer = Writer::new(Output { buffer: Buffer::default(), budget: call.budget }, style);
    write(&mut writer, argument(arguments)?)?;
    Ok(written(writer.into_sink().buffer))
}

fn from_json(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    match read(text, call.budget) {
        Ok(document) => Ok(document.value),
        // Deliberately better than sprig: otherwise nobody could see why the result is empty.
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

/// A text that is paid for while it is written.
struct Output<'b> {
    buffer: Buffer,
    budget: &'b mut Budget,
}

impl Sink for Output<'_> {
    type Error = FunctionError;

    fn push(&mut self, text: &[u8]) -> Result<()> {
        Ok(self.buffer.push(text, self.budget)?)
    }
}

fn write(writer: &mut Writer<Output<'_>>, value: &Value) -> Result<()> {
    writer.sink().budget.steps(1)?;
    match value {
        Value::Nil => writer.literal("null"),
        Value::Bool(boolean) => writer.literal(&boolean.to_string()),
        Value::Int(_, number) => writer.literal(&number.to_string()),
        Value::Uint(_, number) => writer.literal(&number.to_string()),
        Value::Float(number) if number.is_finite() => writer.number(*number),
        Value::Float(number) => {
            let shown = if number.is_nan() {
                "NaN"
            } else if *number > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            Err(FunctionError::new(format!("json: unsupported value: {shown}")))
        }
        Value::Complex(..) => Err(FunctionError::new("json: unsupported type: complex128")),
        Value::String(text) => writer.string(text),
        Value::Bytes(bytes) => {
            writer.sink().budget.room(bytes.len() / 3 * 4 + 4)?;
            let encoded = zeroize::Zeroizing::new(STANDARD.encode(&**bytes));
            writer.string(encoded.as_bytes())
        }
        Value::List(list) if list.is_nil() => writer.literal("null"),
        Value::List(list) => container(writer, [b'[', b']'], list.iter(), |writer, item| {
            writer.item()?;
            write(writer, &item)
        }),
        Value::Map(map) => container(writer, [b'{', b'}'], map.snapshot().iter(), |writer, (key, value)| {
            writer.name(key)?;
            write(writer, value)
        }),
        Value::Object(object) => write(writer, &object.plain()),
    }
}

fn container<T>(
    writer: &mut Writer<Output<'_>>,
    [open, close]: [u8; 2],
    mut items: impl Iterator<Item = T>,
    item: impl Fn(&mut Writer<Output<'_>>, T) -> Result<()>,
) -> Result<()> {
    writer.sink().budget.descend()?;
    let written = writer
        .open(open)
        .and_then(|()| items.try_for_each(|value| item(writer, value)))
        .and_then(|()| writer.close(close));
    // Also after an error, which may be ignored.
    writer.sink().budget.ascend();
    written
}
