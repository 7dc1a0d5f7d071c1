//! The built-in functions of Go's templates.

mod compare;
mod escape;
mod index;

use super::budget::{Budget, Buffer};
use super::format;
use super::functions::{Body, Call, Function, FunctionError};
use super::value::{Text, Type, Value};

type Result = std::result::Result<Value, FunctionError>;

const ANY: Type = Type::Reflect;

/// All of them, by name.
pub(super) fn all() -> [(&'static str, Function); 19] {
    [
        ("and", Function { parameters: &[ANY], variadic: Some(ANY), body: Body::And }),
        ("or", Function { parameters: &[ANY], variadic: Some(ANY), body: Body::Or }),
        ("call", Function { parameters: &[ANY], variadic: Some(ANY), body: Body::Call }),
        ("not", Function::fixed(&[ANY], |arguments, _| Ok(Value::Bool(!arguments.iter().any(Value::is_true))))),
        ("print", Function::variadic(&[], Type::Any, print)),
        ("println", Function::variadic(&[], Type::Any, println)),
        ("printf", Function::variadic(&[Type::String], Type::Any, printf)),
        ("html", Function::variadic(&[], Type::Any, escape::html)),
        ("js", Function::variadic(&[], Type::Any, escape::js)),
        ("urlquery", Function::variadic(&[], Type::Any, escape::urlquery)),
        ("index", Function::variadic(&[ANY], ANY, index::index)),
        ("slice", Function::variadic(&[ANY], ANY, index::slice)),
        ("len", Function::fixed(&[ANY], index::len)),
        ("eq", Function::variadic(&[ANY], ANY, compare::eq)),
        ("ne", Function::fixed(&[ANY, ANY], compare::ne)),
        ("lt", Function::fixed(&[ANY, ANY], compare::lt)),
        ("le", Function::fixed(&[ANY, ANY], compare::le)),
        ("gt", Function::fixed(&[ANY, ANY], compare::gt)),
        ("ge", Function::fixed(&[ANY, ANY], compare::ge)),
    ]
}

fn print(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut output = Buffer::default();
    format::print(arguments, &mut output, call.budget)?;
    Ok(Value::String(output.finish().into()))
}

fn println(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut output = Buffer::default();
    format::println(arguments, &mut output, call.budget)?;
    Ok(Value::String(output.finish().into()))
}

fn printf(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(format), arguments @ ..] = arguments else {
        return Err(FunctionError::new("the format is not a string"));
    };
    let mut output = Buffer::default();
    format::printf(format, arguments, &mut output, call.budget)?;
    Ok(Value::String(output.finish().into()))
}

/// The text of `arguments` as an action prints them.
fn text_of(arguments: &[Value], budget: &mut Budget) -> std::result::Result<Text, FunctionError> {
    if let [Value::String(text)] = arguments {
        return Ok(text.clone());
    }
    let shown = |value: &Value| match value {
        Value::Nil => Value::string(super::exec::NO_VALUE),
        other => other.clone(),
    };
    let arguments: Vec<Value> = arguments.iter().map(shown).collect();
    let mut output = Buffer::default();
    format::print(&arguments, &mut output, budget)?;
    Ok(output.finish().into())
}
