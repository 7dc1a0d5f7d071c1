//! Letters as in Go's `unicode` package: by category, and with changes of case that map one letter to one letter.

use std::sync::LazyLock;

use regex::Regex;

use crate::budget::{Budget, Buffer, Exceeded};
use crate::parser::decode;

/// A set of Unicode categories.
struct Category(LazyLock<Option<Regex>>);

impl Category {
    fn contains(&self, character: char) -> bool {
        let mut buffer = [0; 4];
        let text: &str = character.encode_utf8(&mut buffer);
        self.0.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

static UPPER: Category = Category(LazyLock::new(|| Regex::new(r"\p{Lu}").ok()));
static LOWER: Category = Category(LazyLock::new(|| Regex::new(r"\p{Ll}").ok()));
static TITLE: Category = Category(LazyLock::new(|| Regex::new(r"\p{Lt}").ok()));
static PUNCTUATION: Category = Category(LazyLock::new(|| Regex::new(r"\p{P}").ok()));

/// Category Lu.
pub(super) fn is_upper(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_uppercase() } else { UPPER.contains(character) }
}

/// Category Ll.
pub(super) fn is_lower(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_lowercase() } else { LOWER.contains(character) }
}

/// Category Lt.
pub(super) fn is_title(character: char) -> bool {
    !character.is_ascii() && TITLE.contains(character)
}

/// Category P.
pub(super) fn is_punctuation(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_punctuation()
            && !matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    PUNCTUATION.contains(character)
}

/// The letter, if `letters` has only one.
fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

pub(super) fn to_lower(character: char) -> char {
    // The only letter whose lower case is longer.
    if character == '\u{130}' { 'i' } else { single(character.to_lowercase()).unwrap_or(character) }
}

pub(super) fn to_upper(character: char) -> char {
    single(character.to_uppercase()).unwrap_or_else(|| with_iota(character))
}

/// For the first letter of a word. Differs from upper case for single characters that represent two letters.
pub(super) fn to_title(character: char) -> char {
    let code = u32::from(character);
    let title = match character {
        '\u{1c4}'..='\u{1c6}' => 0x1c5,
        '\u{1c7}'..='\u{1c9}' => 0x1c8,
        '\u{1ca}'..='\u{1cc}' => 0x1cb,
        '\u{1f1}'..='\u{1f3}' => 0x1f2,
        // Georgian has capitals only for whole words.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => code,
        other => return to_upper(other),
    };
    char::from_u32(title).unwrap_or(character)
}

/// The capital of a Greek letter with iota, which is one letter here and two in full mappings.
fn with_iota(character: char) -> char {
    let code = u32::from(character);
    let capital = match character {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => code + 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => code + 9,
        _ => code,
    };
    char::from_u32(capital).unwrap_or(character)
}

/// The characters of `text`; U+FFFD for each byte that is not UTF-8.
pub(super) fn characters(text: &[u8]) -> impl Iterator<Item = char> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (character, len) = decode(rest)?;
        rest = rest.get(len..).unwrap_or_default();
        Some(character)
    })
}

/// Appends a character.
pub(super) fn push(output: &mut Buffer, character: char, budget: &mut Budget) -> Result<(), Exceeded> {
    output.push(character.encode_utf8(&mut [0; 4]).as_bytes(), budget)
}
