//! Random strings and numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt as _;
use zeroize::Zeroizing;

use super::characters::{self, characters};
use super::{Result, Table, mismatch, written};
use crate::budget::Buffer;
use crate::functions::{Function, FunctionError, VolatileCall};
use crate::value::{Text, Type, Value};

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const PRINTABLE: &[u8] =
    b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

pub(super) const TABLE: Table = &[
    ("randAlpha", Function::volatile(&[Type::INT], |arguments, call| of_characters(arguments, LETTERS, call))),
    ("randAlphaNum", Function::volatile(&[Type::INT], |arguments, call| of_characters(arguments, ALPHANUMERIC, call))),
    ("randAscii", Function::volatile(&[Type::INT], |arguments, call| of_characters(arguments, PRINTABLE, call))),
    ("randBytes", Function::volatile(&[Type::INT], bytes)),
    ("randInt", Function::volatile(&[Type::INT, Type::INT], integer)),
    ("randNumeric", Function::volatile(&[Type::INT], |arguments, call| of_characters(arguments, DIGITS, call))),
    ("shuffle", Function::volatile(&[Type::String], shuffle)),
    ("uuidv4", Function::volatile(&[], |_, call| Ok(uuid(call)))),
];

/// This many random characters; none if the number is negative.
fn of_characters(arguments: &[Value], from: &[u8], call: &mut VolatileCall<'_>) -> Result {
    let [Value::Int(_, count)] = arguments else { return Err(mismatch()) };
    let count = usize::try_from(*count).unwrap_or(0);
    // One step each, because randomness costs more than other characters.
    call.budget.steps(count)?;
    call.budget.room(count)?;
    let random = call.random();
    // Filled in place, so that no part of a password is left behind.
    let mut text = vec![b' '; count];
    for byte in &mut text {
        *byte = from.get(random.random_range(0..from.len())).copied().unwrap_or(b' ');
    }
    Ok(Value::String(text.into()))
}

/// This many random bytes in base64.
fn bytes(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::Int(_, count)] = arguments else { return Err(mismatch()) };
    let count = usize::try_from(*count).map_err(|_| FunctionError::new("the number of bytes is negative"))?;
    call.budget.steps(count)?;
    call.budget.room(count.saturating_mul(3))?;
    let mut bytes = Zeroizing::new(vec![0; count]);
    call.random().fill_bytes(&mut bytes);
    Ok(Value::String(Text::from(STANDARD.encode(&*bytes).into_bytes())))
}

/// A number from the first argument up to the second, exclusive.
fn integer(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::Int(_, min), Value::Int(_, max)] = arguments else { return Err(mismatch()) };
    if max <= min || max.checked_sub(*min).is_none() {
        return Err(FunctionError::new("invalid argument to Intn"));
    }
    Ok(Value::int(call.random().random_range(*min..*max)))
}

/// The characters in random order.
fn shuffle(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    call.budget.steps(text.len())?;
    call.budget.room(text.len().saturating_mul(size_of::<char>() + 1))?;
    let mut shuffled: Zeroizing<Vec<char>> = Zeroizing::new(characters(text).collect());
    for i in (1..shuffled.len()).rev() {
        let other = call.random().random_range(0..=i);
        shuffled.swap(i, other);
    }
    let mut output = Buffer::default();
    for &character in &*shuffled {
        characters::push(&mut output, character, call.budget)?;
    }
    Ok(written(output))
}

/// A random UUID (RFC 9562, version 4).
fn uuid(call: &mut VolatileCall<'_>) -> Value {
    let random: u128 = call.random().random();
    let version = 4 << 76;
    let variant = 2 << 62;
    let bits = random & !(0xf << 76 | 3 << 62) | version | variant;
    let digits = format!("{bits:032x}");
    let part = |start: usize, end: usize| digits.get(start..end).unwrap_or_default();
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    Value::string(&parts.join("-"))
}
