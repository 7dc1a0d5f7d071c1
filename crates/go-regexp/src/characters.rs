//! Unicode categories of characters, as in Go's `unicode` package. The standard library's `is_alphanumeric` also
//! includes alphabetic marks and symbols.

use std::sync::LazyLock;

/// A set of categories.
struct Category(LazyLock<Option<regex::Regex>>);

impl Category {
    fn contains(&self, character: char) -> bool {
        let mut buffer = [0; 4];
        let text: &str = character.encode_utf8(&mut buffer);
        self.0.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

static LETTER: Category = Category(LazyLock::new(|| regex::Regex::new(r"\p{L}").ok()));
static DIGIT: Category = Category(LazyLock::new(|| regex::Regex::new(r"\p{Nd}").ok()));

/// Category L: Go's `IsLetter`.
#[must_use]
pub fn is_letter(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_alphabetic() } else { LETTER.contains(character) }
}

/// Category Nd: Go's `IsDigit`.
#[must_use]
pub fn is_digit(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_digit() } else { DIGIT.contains(character) }
}

/// Category N: Go's `IsNumber`.
#[must_use]
pub fn is_number(character: char) -> bool {
    character.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_those_of_go() {
        // A letter, a letter number, a circled letter, an alphabetic mark, a digit, a fraction.
        let of = |character| (is_letter(character), is_digit(character), is_number(character));
        assert_eq!(of('é'), (true, false, false));
        assert_eq!(of('Ⅳ'), (false, false, true));
        assert_eq!(of('Ⓐ'), (false, false, false));
        assert_eq!(of('\u{93f}'), (false, false, false));
        assert_eq!(of('٣'), (false, true, true));
        assert_eq!(of('½'), (false, false, true));
    }
}
