//! Decimal numbers of any length. sprig calculates with them, so 0.1 plus 0.2 is 0.3.

use std::cmp::Ordering;

use super::Result;
use crate::functions::{Call, FunctionError};

/// How many decimals a division produces if it does not terminate.
const DIVISION_DIGITS: i64 = 16;

/// How many pairs of digits are multiplied in the time of a step.
const DIGITS_PER_STEP: usize = 64;

/// A number: its digits, least significant first, times a power of ten.
pub(super) struct Decimal {
    is_negative: bool,
    /// Without trailing zeros, which would be the leading digits.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// The shortest number that represents this float.
    pub(super) fn from_float(number: f64) -> Result<Self> {
        if !number.is_finite() {
            return Err(FunctionError::new("Cannot create a Decimal from an infinite number or from none"));
        }
        let text = format!("{:e}", number.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let digits = mantissa.bytes().rev().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        let exponent = exponent.parse().unwrap_or(0) - i64::try_from(decimals).unwrap_or(0);
        Ok(Self::new(number < 0.0, digits, exponent))
    }

    fn new(is_negative: bool, mut digits: Vec<u8>, exponent: i64) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self { is_negative: is_negative && !digits.is_empty(), digits, exponent }
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        let digits: String = self.digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        let sign = if self.is_negative { "-" } else { "" };
        if digits.is_empty() { 0.0 } else { format!("{sign}{digits}e{}", self.exponent).parse().unwrap_or(f64::NAN) }
    }

    pub(super) fn add(a: &Self, b: &Self, call: &mut Call<'_>) -> Result<Self> {
        let exponent = a.exponent.min(b.exponent);
        let (x, y) = (a.digits_from(exponent, call)?, b.digits_from(exponent, call)?);
        if a.is_negative == b.is_negative {
            return Ok(Self::new(a.is_negative, sum(&x, &y), exponent));
        }
        Ok(match compare(&x, &y) {
            Ordering::Less => Self::new(b.is_negative, difference(&y, &x), exponent),
            _ => Self::new(a.is_negative, difference(&x, &y), exponent),
        })
    }

    pub(super) fn subtract(a: &Self, b: &Self, call: &mut Call<'_>) -> Result<Self> {
        let negated = Self::new(!b.is_negative, b.digits.clone(), b.exponent);
        Self::add(a, &negated, call)
    }

    pub(super) fn multiply(a: &Self, b: &Self, call: &mut Call<'_>) -> Result<Self> {
        call.budget.steps(a.digits.len() * b.digits.len() / DIGITS_PER_STEP)?;
        let mut product = vec![0_u32; a.digits.len() + b.digits.len() + 1];
        for (i, &x) in a.digits.iter().enumerate() {
            for (slot, &y) in product.iter_mut().skip(i).zip(&b.digits) {
                *slot += u32::from(x) * u32::from(y);
            }
        }
        let mut carry = 0;
        let digits = product.into_iter().map(|place| {
            let place = place + carry;
            carry = place / 10;
            u8::try_from(place % 10).unwrap_or(0)
        });
        Ok(Self::new(a.is_negative != b.is_negative, digits.collect(), a.exponent + b.exponent))
    }

    /// Rounds the last digit, halves away from zero.
    pub(super) fn divide(a: &Self, b: &Self, call: &mut Call<'_>) -> Result<Self> {
        if b.digits.is_empty() {
            return Err(FunctionError::new("decimal division by 0"));
        }
        // Scales both so that the quotient counts units of the last digit.
        let shift = a.exponent - b.exponent + DIVISION_DIGITS;
        let dividend = shifted(&a.digits, shift.max(0), call)?;
        let divisor = shifted(&b.digits, (-shift).max(0), call)?;
        // Each digit takes several subtractions, which cost something even if the divisor is short.
        call.budget.steps(dividend.len() * (16 + divisor.len()) / DIGITS_PER_STEP)?;
        let mut quotient = vec![0; dividend.len()];
        let mut rest: Vec<u8> = Vec::new();
        for (&digit, place) in dividend.iter().zip(quotient.iter_mut()).rev() {
            rest.insert(0, digit);
            while compare(&rest, &divisor) != Ordering::Less {
                rest = difference(&rest, &divisor);
                *place += 1;
            }
        }
        if compare(&sum(&rest, &rest), &divisor) != Ordering::Less {
            quotient = sum(&quotient, &[1]);
        }
        Ok(Self::new(a.is_negative != b.is_negative, quotient, -DIVISION_DIGITS))
    }

    /// The digits relative to a smaller power of ten.
    fn digits_from(&self, exponent: i64, call: &mut Call<'_>) -> Result<Vec<u8>> {
        shifted(&self.digits, if self.digits.is_empty() { 0 } else { self.exponent - exponent }, call)
    }
}

/// `digits` times a power of ten.
fn shifted(digits: &[u8], zeros: i64, call: &mut Call<'_>) -> Result<Vec<u8>> {
    let zeros = usize::try_from(zeros).unwrap_or(usize::MAX);
    call.budget.room(zeros.saturating_add(digits.len()))?;
    Ok([&vec![0; zeros], digits].concat())
}

/// The digits without leading zeros.
fn significant(digits: &[u8]) -> &[u8] {
    let len = digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
    digits.get(..len).unwrap_or(digits)
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let places = 0..=a.len().max(b.len());
    let digit = |digits: &[u8], i: usize| digits.get(i).copied().unwrap_or(0);
    places
        .map(|i| {
            let place = digit(a, i) + digit(b, i) + carry;
            carry = place / 10;
            place % 10
        })
        .collect()
}

/// `a` minus `b`, which must not be larger.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let minus = |(i, &digit): (usize, &u8)| {
        let taken = b.get(i).copied().unwrap_or(0) + borrowed;
        borrowed = u8::from(digit < taken);
        digit + 10 * borrowed - taken
    };
    let digits: Vec<u8> = a.iter().enumerate().map(minus).collect();
    significant(&digits).to_vec()
}
