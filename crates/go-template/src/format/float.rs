//! Floats. The standard library produces the digits; this adds the rest.

use super::printer::Flags;

/// The most digits of any float, before or after the point. All further ones are zeros.
const MAX_DIGITS: usize = 1100;

/// `number` as `verb` prints it, with its sign (even a plus) and without padding. If `precision` is `None`, it has as
/// many digits as needed to distinguish it from other numbers.
pub(super) fn digits(number: f64, verb: char, precision: Option<usize>, flags: &Flags) -> String {
    let sign = if number.is_sign_negative() && !number.is_nan() { '-' } else { '+' };
    if !number.is_finite() {
        return format!("{sign}{}", if number.is_nan() { "NaN" } else { "Inf" });
    }
    let magnitude = number.abs();
    let text = match verb {
        'e' => scientific(&Decimal::scientific(magnitude, precision), precision, 'e'),
        'E' => scientific(&Decimal::scientific(magnitude, precision), precision, 'E'),
        'f' | 'F' => fixed(&Decimal::fixed(magnitude, precision), precision),
        'G' => general(magnitude, precision, 'E'),
        'b' => binary(magnitude),
        'x' => hexadecimal(magnitude, precision),
        'X' => hexadecimal(magnitude, precision).to_ascii_uppercase(),
        _ => general(magnitude, precision, 'e'),
    };
    let text = if flags.sharp && verb != 'b' { with_point(&text, verb, precision) } else { text };
    format!("{sign}{text}")
}

/// Decimal digits `0.d1d2d3... * 10^point`, without trailing zeros.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// With `precision` digits after the first.
    fn scientific(number: f64, precision: Option<usize>) -> Self {
        match precision {
            None => Self::from_scientific(&format!("{number:e}")),
            Some(precision) => Self::from_scientific(&format!("{number:.*e}", precision.min(MAX_DIGITS))),
        }
    }

    /// With `precision` digits after the point.
    fn fixed(number: f64, precision: Option<usize>) -> Self {
        let Some(precision) = precision else { return Self::scientific(number, None) };
        let text = format!("{number:.*}", precision.min(MAX_DIGITS));
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let point = i32::try_from(whole.len()).unwrap_or(i32::MAX);
        Self::new(format!("{whole}{fraction}").into_bytes(), point)
    }

    fn from_scientific(text: &str) -> Self {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        Self::new(digits.bytes().filter(u8::is_ascii_digit).collect(), exponent + 1)
    }

    fn new(mut digits: Vec<u8>, mut point: i32) -> Self {
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits.drain(..zeros);
        point -= i32::try_from(zeros).unwrap_or(0);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() { Self { digits, point: 0 } } else { Self { digits, point } }
    }

    /// The digit with the place value `10^(point - 1 - index)`.
    fn digit(&self, index: i32) -> char {
        let digit = usize::try_from(index).ok().and_then(|index| self.digits.get(index));
        char::from(digit.copied().unwrap_or(b'0'))
    }
}

fn len_i32(precision: usize) -> i32 {
    i32::try_from(precision).unwrap_or(i32::MAX)
}

/// `d.ddde+dd`
fn scientific(decimal: &Decimal, precision: Option<usize>, exponent_mark: char) -> String {
    let precision = precision.unwrap_or(decimal.digits.len().saturating_sub(1));
    let mut text = String::new();
    text.push(decimal.digit(0));
    if precision > 0 {
        text.push('.');
        text.extend((1..=len_i32(precision)).map(|index| decimal.digit(index)));
    }
    let exponent = if decimal.digits.is_empty() { 0 } else { decimal.point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{text}{exponent_mark}{sign}{:02}", exponent.abs())
}

/// `ddd.ddd`
fn fixed(decimal: &Decimal, precision: Option<usize>) -> String {
    let after_point = len_i32(decimal.digits.len()) - decimal.point;
    let precision = precision.unwrap_or_else(|| usize::try_from(after_point).unwrap_or(0));
    let mut text: String = (0..decimal.point).map(|index| decimal.digit(index)).collect();
    if text.is_empty() {
        text.push('0');
    }
    if precision > 0 {
        text.push('.');
        text.extend((0..len_i32(precision)).map(|index| decimal.digit(decimal.point + index)));
    }
    text
}

/// With an exponent if it is large or small, otherwise without.
fn general(number: f64, precision: Option<usize>, exponent_mark: char) -> String {
    const SHORTEST: usize = 6;
    let precision = precision.map(|precision| precision.max(1));
    let decimal = Decimal::scientific(number, precision.map(|precision| precision - 1));
    let len = decimal.digits.len();
    // The largest exponent that is written without one.
    let threshold = match precision {
        None => SHORTEST,
        Some(precision) if precision > len && len_i32(len) >= decimal.point => len,
        Some(precision) => precision,
    };
    let exponent = decimal.point - 1;
    let significant = precision.map_or(len, |precision| precision.min(len));
    if exponent < -4 || exponent >= len_i32(threshold) {
        return scientific(&decimal, Some(significant.saturating_sub(1)), exponent_mark);
    }
    let after_point = len_i32(significant) - decimal.point;
    fixed(&decimal, Some(usize::try_from(after_point).unwrap_or(0)))
}

/// Mantissa and binary exponent: `4503599627370496p-52`.
fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    format!("{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    const POINT: u32 = 60;
    let (mantissa, exponent) = parts(number);
    let mut exponent = if mantissa == 0 { 0 } else { exponent + 52 };
    let mut mantissa = mantissa << (POINT - 52);
    while mantissa != 0 && mantissa >> POINT == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(kept @ 0..15) = precision {
        let dropped = POINT - 4 * u32::try_from(kept).unwrap_or(0);
        let (whole, rest) = (mantissa >> dropped, mantissa & ((1 << dropped) - 1));
        let half = 1 << (dropped - 1);
        let up = rest > half || rest == half && whole & 1 == 1;
        mantissa = (whole + u64::from(up)) << dropped;
        if mantissa >> (POINT + 1) == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << POINT) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => fraction.chars().chain(std::iter::repeat('0')).take(precision).collect(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{fraction}p{sign}{:02}", mantissa >> POINT, exponent.abs())
}

/// The mantissa and exponent of a finite number that is not negative.
fn parts(number: f64) -> (u64, i32) {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: i32 = 1075;
    let bits = number.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    match i32::try_from(bits >> MANTISSA_BITS).unwrap_or(0) {
        0 => (mantissa, 1 - BIAS),
        exponent => (mantissa | 1 << MANTISSA_BITS, exponent - BIAS),
    }
}

/// `text` with a point and, for the general verbs, with zeros up to the precision.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(verb, 'x' | 'X');
    let marks: &[char] = if is_hexadecimal { &['p', 'P'] } else { &['e', 'E', 'p', 'P'] };
    let (number, exponent) = text.split_at(text.find(marks).unwrap_or(text.len()));
    let mut wanted = match verb {
        'g' | 'G' | 'v' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = number.chars().filter(|&c| c != '.').skip_while(|&c| c == '0').count();
    wanted = wanted.saturating_sub(significant);
    let mut padded = number.to_owned();
    if !number.contains('.') {
        wanted = wanted.saturating_sub(usize::from(number == "0"));
        padded.push('.');
    }
    padded.extend(std::iter::repeat_n('0', wanted));
    padded + exponent
}
