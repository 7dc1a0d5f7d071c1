//! Numbers as Go parses and prints them.

/// Whether `raw` consists of digits with an optional minus. Such a number is printed unchanged.
pub(super) fn is_integer(raw: &[u8]) -> bool {
    raw.strip_prefix(b"-").unwrap_or(raw).iter().all(u8::is_ascii_digit)
}

/// `number` in its shortest form that parses to the same value, without an exponent.
pub(super) fn format(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{number}")
}

/// Parses `text` like Go's `strconv.ParseFloat`: infinite if it is too large, zero if it is not a number.
pub(super) fn parse(text: &[u8]) -> f64 {
    let (negative, unsigned) = match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        [b'+', unsigned @ ..] | unsigned => (false, unsigned),
    };
    let magnitude = match unsigned.to_ascii_lowercase().as_slice() {
        b"inf" | b"infinity" => Some(f64::INFINITY),
        b"nan" if unsigned.len() == text.len() => Some(f64::NAN),
        [b'0', b'x', hexadecimal @ ..] => parse_hexadecimal(hexadecimal),
        decimal => parse_decimal(decimal),
    };
    match magnitude {
        Some(magnitude) if negative => -magnitude,
        Some(magnitude) => magnitude,
        None => 0.0,
    }
}

fn parse_decimal(text: &[u8]) -> Option<f64> {
    let plain = without_underscores(text, u8::is_ascii_digit)?;
    if !plain.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-')) {
        return None;
    }
    // Go has consumed the sign already; a second one is an error.
    if plain.first().is_some_and(|first| matches!(first, b'+' | b'-')) {
        return None;
    }
    std::str::from_utf8(&plain).ok()?.parse().ok()
}

/// Parses a hexadecimal number after its `0x`: `1.8p3` is 12.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let plain = without_underscores_after_prefix(text)?;
    let split = plain.iter().position(|&byte| byte == b'p')?;
    let (digits, exponent) = (plain.get(..split)?, plain.get(split + 1..)?);
    let unsigned = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut power = parse_integer(exponent.strip_prefix(b"+").unwrap_or(exponent))?.clamp(-20_000, 20_000);
    let (mut mantissa, mut seen_dot, mut seen_digit) = (0_u64, false, false);
    for &byte in digits {
        if byte == b'.' && !seen_dot {
            seen_dot = true;
            continue;
        }
        let digit = u64::from(char::from(byte).to_digit(16)?);
        seen_digit = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            power -= if seen_dot { 4 } else { 0 };
        } else {
            // Digits that do not fit only affect rounding.
            mantissa |= u64::from(digit != 0);
            power += if seen_dot { 0 } else { 4 };
        }
    }
    seen_digit.then(|| scale(mantissa, power))
}

/// `mantissa * 2^power`.
#[allow(clippy::cast_precision_loss, reason = "rounds to the nearest, as Go does")]
fn scale(mantissa: u64, power: i64) -> f64 {
    let mut number = mantissa as f64;
    let mut left = power.clamp(-20_000, 20_000);
    while left != 0 && number != 0.0 && number.is_finite() {
        let step = left.clamp(-1000, 1000);
        number *= 2_f64.powi(i32::try_from(step).unwrap_or(0));
        left -= step;
    }
    number
}

/// `text` without underscores, if each of them is between two digits.
fn without_underscores(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> Option<Vec<u8>> {
    let between_digits =
        |i: usize| i > 0 && text.get(i - 1).is_some_and(&is_digit) && text.get(i + 1).is_some_and(&is_digit);
    let mut plain = Vec::with_capacity(text.len());
    for (i, &byte) in text.iter().enumerate() {
        match byte {
            b'_' if between_digits(i) => {}
            b'_' => return None,
            _ => plain.push(byte),
        }
    }
    Some(plain)
}

/// Like [`without_underscores`], but the prefix before `text` counts as a digit.
fn without_underscores_after_prefix(text: &[u8]) -> Option<Vec<u8>> {
    without_underscores(text.strip_prefix(b"_").unwrap_or(text), u8::is_ascii_hexdigit)
}

/// Parses decimal digits with an optional minus; wraps around if there are too many.
pub(super) fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let mut number = 0_i64;
    for byte in digits {
        let digit = i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        number = number.wrapping_mul(10).wrapping_add(digit);
    }
    (!digits.is_empty()).then(|| if digits.len() == text.len() { number } else { number.wrapping_neg() })
}

/// The integer value of a number, from its text if a float cannot hold it exactly.
#[allow(clippy::cast_possible_truncation, reason = "the fraction is dropped, as Go does")]
pub(super) fn to_integer(number: f64, raw: &[u8]) -> i64 {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    if number.abs() <= MAX_EXACT {
        return number as i64;
    }
    parse_integer(raw).unwrap_or(if number.abs() < 9.3e18 { number as i64 } else { i64::MIN })
}
