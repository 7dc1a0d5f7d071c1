//! Lists. A function with `must` in its name does the same as the one without: sprig's only differ in how they fail,
//! and both end rendering.

use super::convert::{elements, integer};
use super::equality::is_equal;
use super::types::kind_of;
use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{List, Text, Type, Value};

const ANY: Type = Type::Any;

const APPEND: Function = Function::fixed(&[ANY, ANY], append);
const CHUNK: Function = Function::fixed(&[Type::INT, ANY], chunk);
const COMPACT: Function = Function::fixed(&[ANY], compact);
const FIRST: Function = Function::fixed(&[ANY], first);
const HAS: Function = Function::fixed(&[ANY, ANY], has);
const INITIAL: Function = Function::fixed(&[ANY], initial);
const LAST: Function = Function::fixed(&[ANY], last);
const LIST: Function = Function::variadic(&[], ANY, |items, _| Ok(list(items.to_vec())));
const PREPEND: Function = Function::fixed(&[ANY, ANY], prepend);
const REST: Function = Function::fixed(&[ANY], rest);
const REVERSE: Function = Function::fixed(&[ANY], reverse);
const SLICE: Function = Function::variadic(&[ANY], ANY, slice);
const UNIQ: Function = Function::fixed(&[ANY], uniq);
const WITHOUT: Function = Function::variadic(&[ANY], ANY, without);

pub(super) const TABLE: Table = &[
    ("append", APPEND),
    ("chunk", CHUNK),
    ("compact", COMPACT),
    ("concat", Function::variadic(&[], ANY, concat)),
    ("first", FIRST),
    ("has", HAS),
    ("initial", INITIAL),
    ("last", LAST),
    ("list", LIST),
    ("mustAppend", APPEND),
    ("mustChunk", CHUNK),
    ("mustCompact", COMPACT),
    ("mustFirst", FIRST),
    ("mustHas", HAS),
    ("mustInitial", INITIAL),
    ("mustLast", LAST),
    ("mustPrepend", PREPEND),
    ("mustPush", APPEND),
    ("mustRest", REST),
    ("mustReverse", REVERSE),
    ("mustSlice", SLICE),
    ("mustUniq", UNIQ),
    ("mustWithout", WITHOUT),
    ("prepend", PREPEND),
    ("push", APPEND),
    ("rest", REST),
    ("reverse", REVERSE),
    ("slice", SLICE),
    ("tuple", LIST),
    ("uniq", UNIQ),
    ("without", WITHOUT),
];

/// A `[]interface {}`.
fn list(items: Vec<Value>) -> Value {
    Value::List(List::new(&Type::Any, items))
}

/// A nil `[]interface {}`.
const NIL: Type = Type::LIST;

/// The elements of a list; for anything else, an error that names the failed operation.
fn items(value: &Value, cannot: &str, call: &mut Call<'_>) -> Result<Vec<Value>> {
    elements(value, call.budget)?.ok_or_else(|| FunctionError::new(format!("{cannot} {}", kind_name(value))))
}

/// The kind of a value, for errors.
fn kind_name(value: &Value) -> &'static str {
    if matches!(value, Value::Nil) { "nil" } else { kind_of(value) }
}

fn append(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value, item] = arguments else { return Err(mismatch()) };
    let mut items = items(value, "Cannot push on type", call)?;
    items.push(item.clone());
    Ok(list(items))
}

fn prepend(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value, item] = arguments else { return Err(mismatch()) };
    let mut items = items(value, "Cannot prepend on type", call)?;
    items.insert(0, item.clone());
    Ok(list(items))
}

/// Splits a list into lists of `size` elements. Sizes that are not positive behave as in Go's arithmetic, and most are
/// rejected.
fn chunk(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, size), value] = arguments else { return Err(mismatch()) };
    let items = items(value, "Cannot chunk type", call)?;
    let chunks = match usize::try_from(*size) {
        Ok(0) => return Err(FunctionError::new("a chunk has at least one element")),
        Ok(size) => items.chunks(size).map(|chunk| list(chunk.to_vec())).collect(),
        Err(_) => negative_chunks(items, size.unsigned_abs())?,
    };
    Ok(Value::List(List::new(&Type::LIST, chunks)))
}

/// Chunks of a negative size: none, or one with the only element.
fn negative_chunks(items: Vec<Value>, size: u64) -> Result<Vec<Value>> {
    let len = u64::try_from(items.len()).unwrap_or(u64::MAX);
    match len {
        1 if size > 1 => Ok(vec![list(items)]),
        2.. if len - 1 <= size => Ok(Vec::new()),
        0 if size > 1 => Err(FunctionError::new("index out of range")),
        _ => Err(FunctionError::new("a chunk has at least one element")),
    }
}

/// The elements that are not empty.
fn compact(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let mut items = items(value, "Cannot compact on type", call)?;
    items.retain(Value::is_true);
    Ok(list(items))
}

fn concat(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut all = Vec::new();
    for value in arguments {
        let Some(mut items) = elements(value, call.budget)? else {
            return Err(FunctionError::new(format!("Cannot concat type {} as list", kind_name(value))));
        };
        all.append(&mut items);
    }
    Ok(if all.is_empty() { Value::zero(NIL) } else { list(all) })
}

fn first(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    Ok(items(value, "Cannot find first on type", call)?.into_iter().next().unwrap_or(Value::Nil))
}

fn last(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    Ok(items(value, "Cannot find last on type", call)?.pop().unwrap_or(Value::Nil))
}

/// All elements but the first.
fn rest(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let items = items(value, "Cannot find rest on type", call)?;
    Ok(items.split_first().map_or_else(|| Value::zero(NIL), |(_, rest)| list(rest.to_vec())))
}

/// All elements but the last.
fn initial(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let items = items(value, "Cannot find initial on type", call)?;
    Ok(items.split_last().map_or_else(|| Value::zero(NIL), |(_, initial)| list(initial.to_vec())))
}

fn reverse(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let mut items = items(value, "Cannot find reverse on type", call)?;
    items.reverse();
    Ok(list(items))
}

/// Whether one of `items` equals `value`.
fn is_in(value: &Value, items: &[Value], call: &mut Call<'_>) -> Result<bool> {
    for item in items {
        if is_equal(value, item, call.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value] = arguments else { return Err(mismatch()) };
    let mut kept = Vec::new();
    for item in items(value, "Cannot find uniq on type", call)? {
        if !is_in(&item, &kept, call)? {
            kept.push(item);
        }
    }
    Ok(list(kept))
}

fn without(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [value, omitted @ ..] = arguments else { return Err(mismatch()) };
    let mut kept = Vec::new();
    for item in items(value, "Cannot find without on type", call)? {
        if !is_in(&item, omitted, call)? {
            kept.push(item);
        }
    }
    Ok(list(kept))
}

fn has(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [wanted, value] = arguments else { return Err(mismatch()) };
    if matches!(value, Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let items = items(value, "Cannot find has on type", call)?;
    Ok(Value::Bool(is_in(wanted, &items, call)?))
}

/// The elements from one index up to another, exclusive.
fn slice(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [value, indexes @ ..] = arguments else { return Err(mismatch()) };
    let len = match value {
        Value::List(list) => list.len(),
        Value::Bytes(bytes) => bytes.len(),
        other => {
            let kind = kind_name(other);
            return Err(FunctionError::new(format!("list should be type of slice or array but {kind}")));
        }
    };
    if len == 0 {
        return Ok(Value::Nil);
    }
    let start = usize::try_from(indexes.first().map_or(0, integer)).ok();
    let end = indexes.get(1).map_or(Some(len), |end| usize::try_from(integer(end)).ok());
    let sliced = start.zip(end).and_then(|(start, end)| match value {
        Value::List(list) => list.slice(start, end).map(Value::List),
        Value::Bytes(bytes) => bytes.get(start..end).map(|bytes| Value::Bytes(Text::from(bytes))),
        _ => None,
    });
    sliced.ok_or_else(|| FunctionError::new("reflect.Value.Slice: slice index out of bounds"))
}
