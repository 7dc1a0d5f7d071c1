//! Slash-separated paths, including paths of files, because the program runs on Linux.

use super::{Result, Table, mismatch};
use crate::functions::{Call, Function};
use crate::value::{Type, Value};

const BASE: Function = Function::fixed(&[Type::String], |arguments, call| path(arguments, call, base));
const CLEAN: Function = Function::fixed(&[Type::String], |arguments, call| path(arguments, call, clean));
const DIR: Function = Function::fixed(&[Type::String], |arguments, call| path(arguments, call, dir));
const EXT: Function = Function::fixed(&[Type::String], |arguments, call| path(arguments, call, ext));
const IS_ABS: Function = Function::fixed(&[Type::String], |arguments, _| {
    let [Value::String(path)] = arguments else { return Err(mismatch()) };
    Ok(Value::Bool(path.starts_with(b"/")))
});

pub(super) const TABLE: Table = &[
    ("base", BASE),
    ("clean", CLEAN),
    ("dir", DIR),
    ("ext", EXT),
    ("isAbs", IS_ABS),
    ("osBase", BASE),
    ("osClean", CLEAN),
    ("osDir", DIR),
    ("osExt", EXT),
    ("osIsAbs", IS_ABS),
];

fn path(arguments: &[Value], call: &mut Call<'_>, change: impl Fn(&[u8]) -> Vec<u8>) -> Result {
    let [Value::String(path)] = arguments else { return Err(mismatch()) };
    // At most one part per two bytes.
    call.budget.room(path.len().saturating_mul(size_of::<&[u8]>()))?;
    Ok(Value::String(change(path).into()))
}

/// The last element, without trailing slashes.
fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    path.split(|&byte| byte == b'/').rfind(|element| !element.is_empty()).unwrap_or(b"/").to_vec()
}

/// All but the last element.
fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    clean(path.get(..end).unwrap_or_default())
}

/// The extension of the last element, from its last dot.
fn ext(path: &[u8]) -> Vec<u8> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let dot = name.iter().rposition(|&byte| byte == b'.');
    dot.and_then(|dot| name.get(dot..)).unwrap_or_default().to_vec()
}

/// The shortest equivalent path.
fn clean(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut elements: Vec<&[u8]> = Vec::new();
    for element in path.split(|&byte| byte == b'/') {
        match element {
            b"" | b"." => {}
            b".." if elements.last().is_some_and(|last| *last != b"..") => {
                elements.pop();
            }
            b".." if is_rooted => {}
            other => elements.push(other),
        }
    }
    match (is_rooted, elements.join(&b'/')) {
        (true, joined) => [b"/", joined.as_slice()].concat(),
        (false, joined) if joined.is_empty() => b".".to_vec(),
        (false, joined) => joined,
    }
}
