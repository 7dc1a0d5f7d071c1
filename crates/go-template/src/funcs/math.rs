//! Arithmetic. Integers wrap around as in Go; floats are calculated as decimal numbers.

use super::convert::{float, int64, integer};
use super::decimal::Decimal;
use super::{Result, Table, mismatch, written};
use crate::budget::Buffer;
use crate::functions::{Call, Function, FunctionError};
use crate::value::{List, Type, Value};

const ANY: Type = Type::Any;
const MAX: Function = Function::variadic(&[ANY], ANY, |numbers, _| fold(numbers, i64::max));

pub(super) const TABLE: Table = &[
    (
        "add",
        Function::variadic(&[], ANY, |numbers, _| Ok(int64(numbers.iter().map(integer).fold(0, i64::wrapping_add)))),
    ),
    ("add1", Function::fixed(&[ANY], |numbers, _| Ok(int64(numbers.iter().map(integer).fold(1, i64::wrapping_add))))),
    (
        "add1f",
        Function::fixed(&[ANY], |numbers, call| decimals(&[numbers, &[Value::int(1)]].concat(), Decimal::add, call)),
    ),
    (
        "addf",
        Function::variadic(&[], ANY, |numbers, call| {
            decimals(&[&[Value::int(0)], numbers].concat(), Decimal::add, call)
        }),
    ),
    ("biggest", MAX),
    ("ceil", Function::fixed(&[ANY], |numbers, _| rounded(numbers, f64::ceil))),
    ("div", Function::fixed(&[ANY, ANY], |numbers, _| divide(numbers, i64::wrapping_div))),
    ("divf", Function::variadic(&[ANY], ANY, |numbers, call| decimals(numbers, Decimal::divide, call))),
    ("floor", Function::fixed(&[ANY], |numbers, _| rounded(numbers, f64::floor))),
    ("max", MAX),
    ("maxf", Function::variadic(&[ANY], ANY, |numbers, _| fold_floats(numbers, larger))),
    ("min", Function::variadic(&[ANY], ANY, |numbers, _| fold(numbers, i64::min))),
    ("minf", Function::variadic(&[ANY], ANY, |numbers, _| fold_floats(numbers, |a, b| -larger(-a, -b)))),
    ("mod", Function::fixed(&[ANY, ANY], |numbers, _| divide(numbers, i64::wrapping_rem))),
    ("mul", Function::variadic(&[ANY], ANY, |numbers, _| fold(numbers, i64::wrapping_mul))),
    ("mulf", Function::variadic(&[ANY], ANY, |numbers, call| decimals(numbers, Decimal::multiply, call))),
    ("round", Function::variadic(&[ANY, Type::INT], Type::Float, round)),
    ("seq", Function::variadic(&[], Type::INT, seq)),
    ("sub", Function::fixed(&[ANY, ANY], |numbers, _| fold(numbers, i64::wrapping_sub))),
    ("subf", Function::variadic(&[ANY], ANY, |numbers, call| decimals(numbers, Decimal::subtract, call))),
    ("until", Function::fixed(&[Type::INT], until)),
    ("untilStep", Function::fixed(&[Type::INT, Type::INT, Type::INT], until_step)),
];

/// Folds integers, starting with the first.
fn fold(numbers: &[Value], operation: impl Fn(i64, i64) -> i64) -> Result {
    numbers.iter().map(integer).reduce(operation).map(int64).ok_or_else(mismatch)
}

fn fold_floats(numbers: &[Value], operation: impl Fn(f64, f64) -> f64) -> Result {
    numbers.iter().map(float).reduce(operation).map(Value::Float).ok_or_else(mismatch)
}

/// Go's `math.Max`: NaN wins, except against infinity, and 0 is larger than -0.
fn larger(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::INFINITY || b == f64::INFINITY => f64::INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () if a == 0.0 && b == 0.0 => {
            if a.is_sign_negative() {
                b
            } else {
                a
            }
        }
        () => a.max(b),
    }
}

fn divide(numbers: &[Value], operation: impl Fn(i64, i64) -> i64) -> Result {
    let [a, b] = numbers else { return Err(mismatch()) };
    match integer(b) {
        0 => Err(FunctionError::new("runtime error: integer divide by zero")),
        divisor => Ok(int64(operation(integer(a), divisor))),
    }
}

fn rounded(numbers: &[Value], operation: impl Fn(f64) -> f64) -> Result {
    numbers.first().map(|number| Value::Float(operation(float(number)))).ok_or_else(mismatch)
}

type Operation = fn(&Decimal, &Decimal, &mut Call<'_>) -> Result<Decimal>;

/// Folds decimal numbers, starting with the first.
fn decimals(numbers: &[Value], operation: Operation, call: &mut Call<'_>) -> Result {
    let [first, others @ ..] = numbers else { return Err(mismatch()) };
    let mut number = Decimal::from_float(float(first))?;
    for other in others {
        number = operation(&number, &Decimal::from_float(float(other))?, call)?;
    }
    Ok(Value::Float(number.to_float()))
}

/// Rounds a number to this many decimals, up from a half or from the third argument.
#[allow(clippy::cast_precision_loss, reason = "rounds to the nearest, as Go does")]
fn round(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [number, Value::Int(_, places), options @ ..] = arguments else { return Err(mismatch()) };
    let round_on = if let Some(Value::Float(round_on)) = options.first() { *round_on } else { 0.5 };
    let power = power_of_ten(*places);
    let digits = power * float(number);
    let rounded = if digits.fract() >= round_on { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}

/// The float nearest to a power of ten.
fn power_of_ten(exponent: i64) -> f64 {
    let exponent = exponent.clamp(-400, 400);
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

fn until(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, stop)] = arguments else { return Err(mismatch()) };
    Ok(int_list(numbers(0, *stop, if *stop < 0 { -1 } else { 1 }, call)?))
}

fn until_step(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Int(_, start), Value::Int(_, stop), Value::Int(_, by)] = arguments else { return Err(mismatch()) };
    Ok(int_list(numbers(*start, *stop, *by, call)?))
}

fn int_list(numbers: Vec<i64>) -> Value {
    Value::List(List::new(&Type::INT, numbers.into_iter().map(Value::int).collect()))
}

/// The numbers from `start` up to `stop`, exclusive; none if the step leads away from it.
fn numbers(start: i64, stop: i64, by: i64, call: &mut Call<'_>) -> Result<Vec<i64>> {
    if by == 0 || (stop < start) != (by < 0) {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(stop).div_ceil(by.unsigned_abs());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    call.budget.steps(count)?;
    call.budget.room(count.saturating_mul(size_of::<i64>() + size_of::<Value>()))?;
    let mut numbers = Vec::with_capacity(count);
    let mut number = start;
    for _ in 0..count {
        numbers.push(number);
        // There may be no number after the last.
        number = number.saturating_add(by);
    }
    Ok(numbers)
}

/// Numbers separated by spaces, as printed by the Unix program with this name.
fn seq(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let parameters: Vec<i64> =
        arguments.iter().map(|value| if let Value::Int(_, number) = value { *number } else { 0 }).collect();
    let numbers = match parameters.as_slice() {
        [end] => {
            let step = if *end < 1 { -1 } else { 1 };
            numbers(1, end.wrapping_add(step), step, call)?
        }
        [start, end] => {
            let step = if end < start { -1 } else { 1 };
            numbers(*start, end.wrapping_add(step), step, call)?
        }
        [start, step, end] if end >= start || *step <= 0 => {
            let beyond = if end < start { -1 } else { 1 };
            numbers(*start, end.wrapping_add(beyond), *step, call)?
        }
        _ => Vec::new(),
    };
    let mut text = Buffer::default();
    for (i, number) in numbers.iter().enumerate() {
        text.push(if i > 0 { b" " } else { b"" }, call.budget)?;
        text.push(number.to_string().as_bytes(), call.budget)?;
    }
    Ok(written(text))
}
