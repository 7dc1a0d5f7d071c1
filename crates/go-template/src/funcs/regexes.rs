//! Regular expressions, in Go's syntax.

use super::convert::string_list;
use super::{Result, STRINGS, Table, mismatch, part};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{TEXT_OVERHEAD, Text, Type, Value};
use std::ops::Range;

use go_regexp::{Allowance, ErrorKind, Exceeded, Pattern, Regex};

const TEXT: Type = Type::String;

pub(super) const TABLE: Table = &[
    ("mustRegexFind", Function::fixed(&[TEXT, TEXT], |arguments, call| find(arguments, ERROR, call))),
    ("mustRegexFindAll", Function::fixed(&[TEXT, TEXT, Type::INT], |arguments, call| find_all(arguments, ERROR, call))),
    ("mustRegexMatch", Function::fixed(&[TEXT, TEXT], is_match)),
    (
        "mustRegexReplaceAll",
        Function::fixed(&[TEXT, TEXT, TEXT], |arguments, call| replace_all(arguments, ERROR, Regex::replace_all, call)),
    ),
    (
        "mustRegexReplaceAllLiteral",
        Function::fixed(&[TEXT, TEXT, TEXT], |arguments, call| {
            replace_all(arguments, ERROR, Regex::replace_all_literal, call)
        }),
    ),
    ("mustRegexSplit", Function::fixed(&[TEXT, TEXT, Type::INT], |arguments, call| split(arguments, ERROR, call))),
    ("regexFind", Function::fixed(&[TEXT, TEXT], |arguments, call| find(arguments, PANIC, call))),
    ("regexFindAll", Function::fixed(&[TEXT, TEXT, Type::INT], |arguments, call| find_all(arguments, PANIC, call))),
    (
        "regexMatch",
        Function::fixed(&[TEXT, TEXT], |arguments, call| match is_match(arguments, call) {
            // An invalid regular expression matches nothing.
            Err(FunctionError::Failed(_)) => Ok(Value::Bool(false)),
            other => other,
        }),
    ),
    ("regexQuoteMeta", Function::fixed(&[TEXT], quote_meta)),
    (
        "regexReplaceAll",
        Function::fixed(&[TEXT, TEXT, TEXT], |arguments, call| replace_all(arguments, PANIC, Regex::replace_all, call)),
    ),
    (
        "regexReplaceAllLiteral",
        Function::fixed(&[TEXT, TEXT, TEXT], |arguments, call| {
            replace_all(arguments, PANIC, Regex::replace_all_literal, call)
        }),
    ),
    ("regexSplit", Function::fixed(&[TEXT, TEXT, Type::INT], |arguments, call| split(arguments, PANIC, call))),
];

/// The prefix of the error for an invalid pattern, if sprig returns it.
const ERROR: &str = "";

/// The prefix if sprig panics with it.
const PANIC: &str = "regexp: Compile: ";

/// Steps for compiling the smallest pattern.
const COMPILE_STEPS: usize = 1000;

/// How many states of a pattern can be compiled in the time of a step.
const STATES_PER_STEP: usize = 2;

/// How much work of a search counts as a step.
const WORK_PER_STEP: usize = 8;

/// What a part of a text takes in a list in addition to its bytes, including its position during the search, in two
/// lists of which one grows.
const PART_SIZE: usize = TEXT_OVERHEAD + size_of::<Text>() + size_of::<Value>() + 3 * size_of::<Range<usize>>();

/// How many patterns are kept, and their greatest total weight, which is about 8 MiB for letters of all scripts.
const KEPT: usize = 8;
const KEPT_WEIGHT: usize = 600;

/// The compiled pattern. Compiling is paid for.
fn compile(pattern: &Text, before_error: &str, call: &mut Call<'_>) -> Result<Regex> {
    if let Some(compiled) = call.state().patterns.get(&**pattern) {
        return Ok(compiled.clone());
    }
    call.budget.steps(COMPILE_STEPS + pattern.len())?;
    let Ok(text) = std::str::from_utf8(pattern) else {
        return Err(FunctionError::new(format!("{before_error}error parsing regexp: invalid UTF-8")));
    };
    // Without the fragment of the pattern in the error.
    let refused = |kind: ErrorKind| FunctionError::new(format!("{before_error}error parsing regexp: {kind}"));
    let pattern_read = Pattern::parse(text).map_err(|error| refused(error.kind()))?;
    call.budget.steps(pattern_read.size() / STATES_PER_STEP)?;
    let compiled = pattern_read.compile().map_err(|error| refused(error.kind()))?;
    let patterns = &mut call.state().patterns;
    let weight: usize = patterns.values().map(Regex::weight).sum();
    if patterns.len() >= KEPT || weight.saturating_add(compiled.weight()) > KEPT_WEIGHT {
        patterns.clear();
    }
    patterns.insert(pattern.clone(), compiled.clone());
    Ok(compiled)
}

/// Searches, and pays for it.
fn search<T>(
    call: &mut Call<'_>,
    search: impl FnOnce(&mut Allowance) -> std::result::Result<T, Exceeded>,
) -> Result<T> {
    let affordable = call.budget.steps_left().saturating_mul(WORK_PER_STEP);
    // The output is moved once when it grows.
    let mut allowance = Allowance::new(affordable).with_output(call.budget.room_left() / 2);
    let found = search(&mut allowance);
    call.budget.steps((affordable - allowance.left()) / WORK_PER_STEP)?;
    found.map_err(|exceeded| match exceeded {
        Exceeded::Work => FunctionError::new(format!("more than a template may take: {exceeded}")),
        Exceeded::Output(_) => call.budget.no_memory().into(),
    })
}

/// A number of results; `None` means all.
fn limit(number: i64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// A number of results, or one more than there is room for, in which case the call fails.
fn affordable(limit: Option<usize>, call: &Call<'_>) -> usize {
    let most = call.budget.steps_left().min(call.budget.room_left() / PART_SIZE) + 1;
    limit.map_or(most, |limit| limit.min(most))
}

fn is_match(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(pattern), Value::String(text)] = arguments else { return Err(mismatch()) };
    let regex = compile(pattern, ERROR, call)?;
    Ok(Value::Bool(search(call, |allowance| regex.is_match(text, allowance))?))
}

/// The first match, empty if there is none.
fn find(arguments: &[Value], before_error: &str, call: &mut Call<'_>) -> Result {
    let [Value::String(pattern), Value::String(text)] = arguments else { return Err(mismatch()) };
    let regex = compile(pattern, before_error, call)?;
    let found = search(call, |allowance| regex.find(text, allowance))?;
    let found = found.and_then(|range| text.get(range)).unwrap_or_default();
    Ok(part(found))
}

/// A `[]string` of parts of a text.
fn parts(text: &Text, ranges: Vec<Range<usize>>, call: &mut Call<'_>) -> Result<Vec<Text>> {
    call.budget.steps(ranges.len())?;
    call.budget.room(text.len().saturating_add(ranges.len().saturating_mul(PART_SIZE)))?;
    Ok(ranges.into_iter().map(|range| Text::from(text.get(range).unwrap_or_default())).collect())
}

/// All matches, up to a number.
fn find_all(arguments: &[Value], before_error: &str, call: &mut Call<'_>) -> Result {
    let [Value::String(pattern), Value::String(text), Value::Int(_, count)] = arguments else {
        return Err(mismatch());
    };
    let regex = compile(pattern, before_error, call)?;
    let limit = affordable(limit(*count), call);
    let found = search(call, |allowance| regex.find_all(text, Some(limit), allowance))?;
    call.budget.steps(found.len())?;
    // Without matches, Go's list is nil.
    Ok(if found.is_empty() { Value::zero(STRINGS) } else { string_list(parts(text, found, call)?) })
}

/// The parts between matches, up to a number.
fn split(arguments: &[Value], before_error: &str, call: &mut Call<'_>) -> Result {
    let [Value::String(pattern), Value::String(text), Value::Int(_, count)] = arguments else {
        return Err(mismatch());
    };
    let regex = compile(pattern, before_error, call)?;
    if *count == 0 {
        return Ok(Value::zero(STRINGS));
    }
    let limit = affordable(limit(*count), call);
    let ranges = search(call, |allowance| regex.split(text, Some(limit), allowance))?;
    Ok(string_list(parts(text, ranges, call)?))
}

type Replace = fn(&Regex, &[u8], &[u8], &mut Allowance) -> std::result::Result<zeroize::Zeroizing<Vec<u8>>, Exceeded>;

/// The text with each match replaced.
fn replace_all(arguments: &[Value], before_error: &str, replace: Replace, call: &mut Call<'_>) -> Result {
    let [Value::String(pattern), Value::String(text), Value::String(replacement)] = arguments else {
        return Err(mismatch());
    };
    let regex = compile(pattern, before_error, call)?;
    // This is the least, and is checked before the result is created.
    call.budget.room(text.len())?;
    let replaced = search(call, |allowance| replace(&regex, text, replacement, allowance))?;
    Ok(Value::String(replaced.into()))
}

fn quote_meta(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    call.budget.room(text.len().saturating_mul(2))?;
    Ok(Value::String(go_regexp::quote_meta(text).into()))
}
