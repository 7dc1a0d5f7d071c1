//! Durations in nanoseconds.

/// In a second.
pub(crate) const NANOSECONDS: i64 = 1_000_000_000;

/// Why a string is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseDurationError {
    #[error("time: invalid duration")]
    Invalid,
    #[error("time: missing unit in duration")]
    MissingUnit,
    #[error("time: unknown unit in duration")]
    UnknownUnit,
}

/// Parses `1h30m`, `-1.5s`, `100ms`.
pub(crate) fn parse_duration(text: &[u8]) -> Result<i64, ParseDurationError> {
    const LIMIT: u64 = 1 << 63;
    let invalid = ParseDurationError::Invalid;
    let is_negative = text.starts_with(b"-");
    let mut rest = if let [b'-' | b'+', rest @ ..] = text { rest } else { text };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid);
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (part, after) = next_part(rest)?;
        total = total.checked_add(part).filter(|total| *total <= LIMIT).ok_or(invalid)?;
        rest = after;
    }
    match i64::try_from(total) {
        Ok(total) => Ok(if is_negative { -total } else { total }),
        Err(_) if is_negative => Ok(i64::MIN),
        Err(_) => Err(invalid),
    }
}

/// Parses a number and its unit at the start of `text`. Returns nanoseconds and the rest.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction of an hour at most"
)]
fn next_part(text: &[u8]) -> Result<(u64, &[u8]), ParseDurationError> {
    const LIMIT: u64 = 1 << 63;
    let invalid = ParseDurationError::Invalid;
    let (digits, mut rest) = split_digits(text);
    let mut number = 0_u64;
    for digit in digits {
        number =
            number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0'))).ok_or(invalid)?;
        if number > LIMIT {
            return Err(invalid);
        }
    }
    let mut fraction: &[u8] = &[];
    if let [b'.', after @ ..] = rest {
        (fraction, rest) = split_digits(after);
    }
    if digits.is_empty() && fraction.is_empty() {
        return Err(invalid);
    }
    let len = rest.iter().position(|byte| matches!(byte, b'.' | b'0'..=b'9')).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(len);
    let unit: u64 = match unit {
        b"" => return Err(ParseDurationError::MissingUnit),
        b"ns" => 1,
        b"us" | [0xc2, 0xb5, b's'] | [0xce, 0xbc, b's'] => 1000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return Err(ParseDurationError::UnknownUnit),
    };
    let whole = number.checked_mul(unit).filter(|whole| *whole <= LIMIT).ok_or(invalid)?;
    let (numerator, scale) = fraction_of(fraction);
    let nanoseconds = whole + (numerator as f64 * (unit as f64 / scale)) as u64;
    if nanoseconds > LIMIT { Err(invalid) } else { Ok((nanoseconds, rest)) }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

/// The digits after a point as a numerator and denominator, ignoring excess digits.
fn fraction_of(digits: &[u8]) -> (u64, f64) {
    const LIMIT: u64 = (1 << 63) - 1;
    let (mut numerator, mut scale) = (0_u64, 1.0);
    for digit in digits {
        if numerator > LIMIT / 10 {
            break;
        }
        let next = numerator * 10 + u64::from(digit - b'0');
        if next > LIMIT + 1 {
            break;
        }
        numerator = next;
        scale *= 10.0;
    }
    (numerator, scale)
}

/// `1h30m0s`, as Go prints it.
pub(crate) fn print_duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let text = match magnitude {
        0 => "0s".to_owned(),
        1..=999 => format!("{magnitude}ns"),
        1000..=999_999 => format!("{}µs", with_fraction(magnitude, 1000)),
        1_000_000..=999_999_999 => format!("{}ms", with_fraction(magnitude, 1_000_000)),
        _ => {
            const MINUTE: u64 = 60_000_000_000;
            let seconds = format!("{}s", with_fraction(magnitude % MINUTE, 1_000_000_000));
            match magnitude / MINUTE {
                0 => seconds,
                minutes @ 1..60 => format!("{minutes}m{seconds}"),
                minutes => format!("{}h{}m{seconds}", minutes / 60, minutes % 60),
            }
        }
    };
    format!("{sign}{text}")
}

/// A number of units, with as many decimals as needed.
fn with_fraction(number: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let (whole, fraction) = (number / unit, number % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let decimals = format!("{fraction:0width$}");
    format!("{whole}.{}", decimals.trim_end_matches('0'))
}

/// The nearest multiple of `unit`, halves away from zero.
pub(crate) const fn rounded(nanoseconds: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanoseconds;
    }
    let rest = nanoseconds % unit;
    let is_less_than_half = rest.unsigned_abs() < unit.unsigned_abs() - rest.unsigned_abs();
    match (is_less_than_half, nanoseconds < 0) {
        (true, _) => nanoseconds - rest,
        (false, false) => (nanoseconds - rest).saturating_add(unit),
        (false, true) => (nanoseconds - rest).saturating_sub(unit),
    }
}
