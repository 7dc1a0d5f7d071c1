//! The types of values.

use super::convert::argument;
use super::equality::is_equal;
use super::{Result, Table, mismatch};
use crate::functions::Function;
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[
    (
        "deepEqual",
        Function::fixed(&[Type::Any, Type::Any], |arguments, call| {
            let [a, b] = arguments else { return Err(mismatch()) };
            Ok(Value::Bool(is_equal(a, b, call.budget)?))
        }),
    ),
    (
        "kindIs",
        Function::fixed(&[Type::String, Type::Any], |arguments, _| {
            is_named(arguments, |wanted, value| wanted == kind_of(value).as_bytes())
        }),
    ),
    ("kindOf", Function::fixed(&[Type::Any], |arguments, _| Ok(Value::string(kind_of(argument(arguments)?))))),
    (
        "typeIs",
        Function::fixed(&[Type::String, Type::Any], |arguments, _| {
            is_named(arguments, |wanted, value| wanted == type_of(value).as_bytes())
        }),
    ),
    (
        "typeIsLike",
        Function::fixed(&[Type::String, Type::Any], |arguments, _| {
            is_named(arguments, |wanted, value| {
                let found = type_of(value);
                wanted == found.as_bytes() || found.strip_prefix('*').is_some_and(|found| wanted == found.as_bytes())
            })
        }),
    ),
    ("typeOf", Function::fixed(&[Type::Any], |arguments, _| Ok(Value::string(&type_of(argument(arguments)?))))),
];

fn is_named(arguments: &[Value], is: impl Fn(&[u8], &Value) -> bool) -> Result {
    let [Value::String(wanted), value] = arguments else { return Err(mismatch()) };
    Ok(Value::Bool(is(wanted, value)))
}

/// The name of a value's type.
fn type_of(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |found| found.to_string())
}

/// The name of the kind of a value's type.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(kind, _) => kind.kind(),
        Value::Uint(kind, _) => kind.kind(),
        Value::Float(_) => "float64",
        Value::Complex(..) => "complex128",
        Value::String(_) => "string",
        Value::Bytes(_) | Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Object(object) => object.kind(),
    }
}
