//! Base64, base32 and hexadecimal. As in sprig, input that cannot be decoded returns the text of the error as the
//! result. A template that must fail has to check for that itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Result, Table, mismatch};
use crate::functions::{Call, Function};
use crate::value::{Text, Type, Value};

pub(super) const TABLE: Table = &[
    ("b32dec", Function::fixed(&[Type::String], |arguments, _| decoded(arguments, base32_decode))),
    ("b32enc", Function::fixed(&[Type::String], base32_encode)),
    ("b64dec", Function::fixed(&[Type::String], |arguments, _| decoded(arguments, base64_decode))),
    ("b64enc", Function::fixed(&[Type::String], base64_encode)),
    ("hexdec", Function::fixed(&[Type::String], |arguments, _| decoded(arguments, hex_decode))),
];

/// The decoded bytes, or the text of Go's error.
type Decoded = std::result::Result<Zeroizing<Vec<u8>>, String>;

fn decoded(arguments: &[Value], decode: impl Fn(&[u8]) -> Decoded) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(Value::String(match decode(text) {
        Ok(decoded) => decoded.into(),
        Err(error) => error.into_bytes().into(),
    }))
}

fn base64_encode(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    call.budget.room(text.len() / 3 * 4 + 4)?;
    Ok(Value::String(Text::from(STANDARD.encode(&**text).into_bytes())))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Line feeds and carriage returns are ignored.
const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Decodes base64 as Go does: with padding, line ends anywhere, and any unused bits.
fn base64_decode(text: &[u8]) -> Decoded {
    const UNITS: usize = 4;
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut output = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let mut input = text.iter().enumerate().filter(|(_, byte)| !is_line_end(**byte));
    loop {
        let mut digits = Zeroizing::new([0_u8; UNITS]);
        for i in 0..UNITS {
            let Some((at, &byte)) = input.next() else {
                // The end, between two units or inside one.
                return if i == 0 { Ok(output) } else { Err(corrupt(text.len() - i)) };
            };
            if let Some(digit) = base64_digit(byte) {
                set(&mut *digits, i, digit);
                continue;
            }
            if byte != b'=' || i < 2 {
                return Err(corrupt(at));
            }
            if i == 2 {
                match input.next() {
                    Some((_, b'=')) => {}
                    Some((at, _)) => return Err(corrupt(at - 1)),
                    None => return Err(corrupt(text.len())),
                }
            }
            if let Some((at, _)) = input.next() {
                return Err(corrupt(at));
            }
            push_bits(&mut output, &*digits, 6, i);
            return Ok(output);
        }
        push_bits(&mut output, &*digits, 6, UNITS);
    }
}

const fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

const fn base32_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => return None,
    })
}

fn set(digits: &mut [u8], i: usize, digit: u8) {
    if let Some(slot) = digits.get_mut(i) {
        *slot = digit;
    }
}

/// Appends the whole bytes formed by the first `count` of `digits`, which have `width` bits each.
fn push_bits(output: &mut Vec<u8>, digits: &[u8], width: u32, count: usize) {
    let mut bits = 0_u32;
    let mut available = 0;
    for &digit in digits.iter().take(count) {
        bits = bits << width | u32::from(digit);
        available += width;
        if available >= 8 {
            available -= 8;
            output.extend(u8::try_from(bits >> available & 0xff));
        }
    }
}

fn base32_encode(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    call.budget.room(text.len() / 5 * 8 + 8)?;
    let mut output = Vec::with_capacity(text.len() / 5 * 8 + 8);
    for unit in text.chunks(5) {
        let bits = unit.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte)) << (8 * (5 - unit.len()));
        let digits = (unit.len() * 8).div_ceil(5);
        for i in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * i) & 0x1f).ok().and_then(|digit| BASE32.get(digit));
            output.push(if i < digits { digit.copied().unwrap_or(b'=') } else { b'=' });
        }
    }
    Ok(Value::String(output.into()))
}

/// Decodes base32 as Go does: with padding, and line ends anywhere.
fn base32_decode(text: &[u8]) -> Decoded {
    const UNITS: usize = 8;
    let text = Zeroizing::new(text.iter().copied().filter(|&byte| !is_line_end(byte)).collect::<Vec<u8>>());
    let corrupt = |at: usize| format!("illegal base32 data at input byte {at}");
    let mut output = Zeroizing::new(Vec::with_capacity(text.len() / 8 * 5 + 5));
    let mut at = 0;
    while at < text.len() {
        let mut digits = Zeroizing::new([0_u8; UNITS]);
        for i in 0..UNITS {
            let Some(&byte) = text.get(at) else { return Err(corrupt(text.len() - i)) };
            at += 1;
            if let Some(digit) = base32_digit(byte) {
                set(&mut *digits, i, digit);
                continue;
            }
            let left = text.get(at..).unwrap_or_default();
            if byte != b'=' || i < 2 || left.len() >= UNITS {
                return Err(corrupt(at - 1));
            }
            if left.len() + i + 1 < UNITS {
                return Err(corrupt(text.len()));
            }
            if let Some(other) = left.iter().take(UNITS - 1 - i).position(|&byte| byte != b'=') {
                return Err(corrupt(at + other - 1));
            }
            // Seven, five, four or two digits form whole bytes.
            if matches!(i, 1 | 3 | 6) {
                return Err(corrupt(at - 1));
            }
            push_bits(&mut output, &*digits, 5, i);
            return Ok(output);
        }
        push_bits(&mut output, &*digits, 5, UNITS);
    }
    Ok(output)
}

fn hex_decode(text: &[u8]) -> Decoded {
    let mut output = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for pair in text.chunks(2) {
        match (pair.first().map(|&byte| digit(byte)), pair.get(1).map(|&byte| digit(byte))) {
            (Some(Some(high)), Some(Some(low))) => output.push(high << 4 | low),
            (Some(Some(_)), None) => return Err("encoding/hex: odd length hex string".to_owned()),
            (high, _) => {
                let wrong = if high == Some(None) { pair.first() } else { pair.get(1) };
                let wrong = wrong.map_or(char::REPLACEMENT_CHARACTER, |&byte| char::from(byte));
                return Err(format!("encoding/hex: invalid byte: {}", rune(wrong)));
            }
        }
    }
    Ok(output)
}

/// A character as Go's `%#U` shows it.
fn rune(character: char) -> String {
    let code = u32::from(character);
    if crate::format::quote::is_printable(character) {
        format!("U+{code:04X} '{character}'")
    } else {
        format!("U+{code:04X}")
    }
}
