//! The order in which go-yaml writes keys.

use std::iter::Peekable;

use go_regexp::{is_digit, is_letter};

/// Sorts by key: letters come after everything else, and numbers inside a key are compared by value.
///
/// This is not a total order for all keys. The standard library's sorting requires one; Go's does not care.
pub(super) fn sort<T>(mut items: Vec<T>, key: &impl Fn(&T) -> &str) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let upper = sort(items.split_off(items.len() / 2), key);
    let lower = sort(items, key);
    let mut merged = Vec::with_capacity(lower.len() + upper.len());
    let (mut lower, mut upper) = (lower.into_iter().peekable(), upper.into_iter().peekable());
    while let Some(item) = next(&mut lower, &mut upper, key) {
        merged.push(item);
    }
    merged
}

fn next<T, I: Iterator<Item = T>>(
    lower: &mut Peekable<I>,
    upper: &mut Peekable<I>,
    key: &impl Fn(&T) -> &str,
) -> Option<T> {
    match (lower.peek(), upper.peek()) {
        (Some(low), Some(high)) if is_less(key(high), key(low)) => upper.next(),
        (Some(_), _) => lower.next(),
        (None, _) => upper.next(),
    }
}

/// Whether `a` comes before `b`.
fn is_less(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len() < b.len() };
    let (Some(&first), Some(&second)) = (a.get(at), b.get(at)) else { return false };
    match (is_letter(first), is_letter(second)) {
        (true, true) => return first < second,
        (true, false) | (false, true) => return is_letter(second),
        (false, false) => {}
    }
    let start = leading_digit(&a, at, first, second);
    let (number_a, end_a) = number(&a, at, start);
    let (number_b, end_b) = number(&b, at, start);
    (number_a, end_a, first) < (number_b, end_b, second)
}

/// One if the preceding digits, which both keys share, make a zero here significant.
fn leading_digit(key: &[char], at: usize, first: char, second: char) -> i64 {
    let before = key.get(..at).unwrap_or_default().iter().rev().take_while(|digit| is_digit(**digit));
    let counts = (first == '0' || second == '0') && before.into_iter().any(|digit| *digit != '0');
    i64::from(counts)
}

/// The number at a position of a key, continuing from `start`, and where it ends.
fn number(key: &[char], at: usize, start: i64) -> (i64, usize) {
    let digits = key.get(at..).unwrap_or_default().iter().take_while(|digit| is_digit(**digit));
    digits.fold((start, at), |(number, end), digit| {
        let value = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
        (number.wrapping_mul(10).wrapping_add(value), end + 1)
    })
}
