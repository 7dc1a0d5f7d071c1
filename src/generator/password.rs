//! Random passwords.
//!
//! Characters are drawn without replacement from those that are left, so that drawing always ends, and then shuffled,
//! so that every order is equally likely.

use std::collections::{BTreeSet, HashSet};

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use zeroize::Zeroizing;

use super::bounds::{LONGEST_PASSWORD, LONGEST_TEXT, MOST_KEYS};
use super::encoding;
use super::error::MintError;
use super::values::{Values, secret};
use crate::api::generators::PasswordSpec;

/// The default key of the password.
const KEY: &str = "password";

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
/// ESO's symbols if `symbolCharacters` is not given.
const SYMBOLS: &str = "~!@#$%^&*()_+`-={}|[]\\:\"<>?,./";

/// The keys of the passwords that a generator makes, without duplicates.
#[must_use]
pub fn keys(spec: &PasswordSpec) -> Vec<String> {
    match &spec.secret_keys {
        None => vec![KEY.to_owned()],
        Some(keys) => keys.iter().take(MOST_KEYS).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
    }
}

/// A password for each key.
///
/// # Errors
/// [`MintError`]
pub fn mint(spec: &PasswordSpec, random: &mut impl rand::CryptoRng) -> Result<Values, MintError> {
    let recipe = Recipe::of(spec)?;
    let passwords = keys(spec).into_iter().map(|key| {
        let password = recipe.password(random);
        (key, secret(encoding::encode(spec.encoding, &password)))
    });
    Ok(passwords.collect())
}

/// Checks whether passwords can be made, without making any.
///
/// # Errors
/// [`MintError`]
pub fn check(spec: &PasswordSpec) -> Result<(), MintError> {
    Recipe::of(spec).map(drop)
}

/// How many characters of each kind to draw, and from which.
struct Recipe {
    symbols: Group,
    digits: Group,
    letters: Group,
    may_repeat: bool,
}

/// Characters of one kind, without duplicates.
struct Group {
    count: usize,
    characters: Vec<char>,
}

impl Group {
    fn new(count: usize, characters: impl IntoIterator<Item = char>) -> Self {
        let mut seen = HashSet::new();
        Self { count, characters: characters.into_iter().filter(|character| seen.insert(*character)).collect() }
    }

    fn has(&self, character: char) -> bool {
        self.characters.contains(&character)
    }

    /// How many characters can be spared for another kind if none may be used twice.
    fn to_spare(&self) -> usize {
        self.characters.len().saturating_sub(self.count)
    }

    fn check(&self, what: &'static str, available: usize) -> Result<(), MintError> {
        if self.count <= available {
            return Ok(());
        }
        Err(MintError::TooFew { what, wanted: self.count, available })
    }
}

impl Recipe {
    fn of(spec: &PasswordSpec) -> Result<Self, MintError> {
        check_keys(spec)?;
        let length = if spec.length <= 0 { PasswordSpec::DEFAULT_LENGTH } else { spec.length };
        let length = bounded("spec.length", length)?;
        let part = |field, count: Option<i64>| count.map_or(Ok(length / 4), |count| bounded(field, count));
        let (digits, symbols) = (part("spec.digits", spec.digits)?, part("spec.symbols", spec.symbols)?);
        let letters = length.checked_sub(digits + symbols).ok_or(MintError::TooManyDigitsAndSymbols)?;
        let upper = if spec.no_upper { "" } else { UPPER };
        let recipe = Self {
            symbols: Group::new(symbols, symbols_of(spec)?.chars()),
            digits: Group::new(digits, DIGITS.chars()),
            letters: Group::new(letters, LOWER.chars().chain(upper.chars())),
            may_repeat: spec.allow_repeat,
        };
        if !recipe.may_repeat {
            recipe.digits.check("digits", recipe.digits.characters.len())?;
            recipe.letters.check("letters", recipe.letters.characters.len())?;
            recipe.symbols.check("symbols", recipe.symbols_to_draw_from())?;
        }
        Ok(recipe)
    }

    /// How many symbols can be drawn, without those that must be left as digits and letters: symbols may be any
    /// characters.
    fn symbols_to_draw_from(&self) -> usize {
        let shared = |group: &Group| self.symbols.characters.iter().filter(|symbol| group.has(**symbol)).count();
        let (digits, letters) = (shared(&self.digits), shared(&self.letters));
        let own = self.symbols.characters.len() - digits - letters;
        own + digits.min(self.digits.to_spare()) + letters.min(self.letters.to_spare())
    }

    fn password(&self, random: &mut impl rand::CryptoRng) -> Zeroizing<Vec<u8>> {
        let mut drawn = Zeroizing::new(Vec::new());
        if self.may_repeat {
            for group in [&self.symbols, &self.digits, &self.letters] {
                for _ in 0..group.count {
                    drawn.push(group.characters[random.random_range(0..group.characters.len())]);
                }
            }
        } else {
            self.draw_symbols(&mut drawn, random);
            for group in [&self.digits, &self.letters] {
                let mut left = Zeroizing::new(group.characters.clone());
                left.retain(|character| !drawn.contains(character));
                left.shuffle(random);
                drawn.extend(left.iter().take(group.count));
            }
        }
        drawn.shuffle(random);
        let mut bytes = Zeroizing::new(Vec::with_capacity(drawn.len() * char::MAX_LEN_UTF8));
        for character in drawn.iter() {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; char::MAX_LEN_UTF8]).as_bytes());
        }
        bytes
    }

    /// Draws symbols, leaving as many digits and letters as are needed.
    fn draw_symbols(&self, drawn: &mut Vec<char>, random: &mut impl rand::CryptoRng) {
        let (mut digits, mut letters, mut own) = (self.digits.to_spare(), self.letters.to_spare(), usize::MAX);
        let mut left = Zeroizing::new(self.symbols.characters.clone());
        left.shuffle(random);
        for symbol in left.iter() {
            if drawn.len() == self.symbols.count {
                return;
            }
            let to_spare = match symbol {
                symbol if self.digits.has(*symbol) => &mut digits,
                symbol if self.letters.has(*symbol) => &mut letters,
                _ => &mut own,
            };
            if *to_spare > 0 {
                *to_spare -= 1;
                drawn.push(*symbol);
            }
        }
    }
}

fn symbols_of(spec: &PasswordSpec) -> Result<&str, MintError> {
    let symbols = spec.symbol_characters.as_deref().filter(|symbols| !symbols.is_empty()).unwrap_or(SYMBOLS);
    if symbols.len() <= LONGEST_TEXT {
        return Ok(symbols);
    }
    let problem = format!("may have at most {LONGEST_TEXT} bytes; shorten it");
    Err(MintError::OutOfBounds { field: "spec.symbolCharacters", problem })
}

fn check_keys(spec: &PasswordSpec) -> Result<(), MintError> {
    let Some(keys) = &spec.secret_keys else { return Ok(()) };
    if keys.len() > MOST_KEYS {
        let problem = format!("may name at most {MOST_KEYS} keys; make several generators");
        return Err(MintError::OutOfBounds { field: "spec.secretKeys", problem });
    }
    let mut seen = HashSet::new();
    let is_right = !keys.is_empty() && keys.iter().all(|key| !key.is_empty() && seen.insert(key));
    if is_right { Ok(()) } else { Err(MintError::SecretKeys) }
}

fn bounded(field: &'static str, count: i64) -> Result<usize, MintError> {
    let problem = || format!("{count} is not between 0 and {LONGEST_PASSWORD}; correct it");
    usize::try_from(count)
        .ok()
        .filter(|_| count <= LONGEST_PASSWORD)
        .ok_or_else(|| MintError::OutOfBounds { field, problem: problem() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    fn spec(fields: &Value) -> PasswordSpec {
        serde_json::from_value(fields.clone()).unwrap()
    }

    fn texts(spec: &PasswordSpec) -> Vec<String> {
        let values = mint(spec, &mut rand::rng()).unwrap();
        values.values().map(|value| String::from_utf8(value.expose_secret().to_vec()).unwrap()).collect()
    }

    fn count(text: &str, of: &str) -> usize {
        text.chars().filter(|character| of.contains(*character)).count()
    }

    #[test]
    fn by_default_there_are_24_characters_a_quarter_of_them_digits_and_a_quarter_symbols() {
        let [password] = &*texts(&PasswordSpec::default()) else { panic!("one key") };
        assert_eq!(password.chars().count(), 24);
        assert_eq!((count(password, DIGITS), count(password, SYMBOLS)), (6, 6));
        assert_eq!(keys(&PasswordSpec::default()), ["password"]);
        assert_eq!(SYMBOLS.len(), 30);
    }

    #[test]
    fn each_key_gets_its_own_password() {
        let passwords = texts(&spec(&json!({"secretKeys": ["a", "b", "c"]})));
        assert_eq!(passwords.iter().collect::<BTreeSet<_>>().len(), 3);
    }

    #[rstest]
    #[case(json!({"length": 10, "digits": 6, "symbols": 5}), "number of digits and symbols must be less than total length")]
    #[case(json!({"length": 60, "digits": 0, "symbols": 0}), "number of letters exceeds available letters and repeats are not allowed")]
    #[case(json!({"length": 44}), "number of digits exceeds available digits and repeats are not allowed")]
    #[case(json!({"length": 60, "digits": 5, "symbols": 31}), "number of symbols exceeds available symbols and repeats are not allowed")]
    #[case::never_ends_in_eso(json!({"symbolCharacters": "!!!!!!", "symbols": 6}), "number of symbols exceeds available symbols")]
    #[case::letters_are_used_up(json!({"length": 55, "digits": 0, "symbols": 3, "symbolCharacters": "abc"}), "number of symbols exceeds")]
    #[case(json!({"secretKeys": ["a", "a"]}), "secretKeys must be non-empty and unique")]
    #[case(json!({"secretKeys": [""]}), "secretKeys must be non-empty and unique")]
    #[case(json!({"length": 4097}), "spec.length: 4097 is not between 0 and 4096")]
    #[case(json!({"digits": -1}), "spec.digits: -1 is not between 0 and")]
    #[case(json!({"symbols": i64::MAX}), "spec.symbols: 9223372036854775807 is not between 0 and")]
    fn an_invalid_spec_is_an_error_in_the_words_of_eso(#[case] fields: Value, #[case] words: &str) {
        let error = mint(&spec(&fields), &mut rand::rng()).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(check(&spec(&fields)), Err(error));
    }

    #[test]
    fn more_than_a_hundred_keys_are_refused() {
        let keys: Vec<_> = (0..101).map(|key| key.to_string()).collect();
        let error = check(&spec(&json!({"secretKeys": keys}))).unwrap_err();
        assert!(error.to_string().starts_with("spec.secretKeys: may name at most 100 keys"), "{error}");
    }

    #[test]
    fn a_symbol_of_several_bytes_is_one_character() {
        let [password] = &*texts(&spec(&json!({"length": 8, "digits": 0, "symbols": 4, "symbolCharacters": "äöüß"})))
        else {
            panic!("one key")
        };
        assert_eq!((password.chars().count(), count(password, "äöüß")), (8, 4));
    }

    #[test]
    fn the_longest_password_is_made() {
        let fields = json!({"length": 4096, "allowRepeat": true});
        assert_eq!(texts(&spec(&fields))[0].chars().count(), 4096);
    }

    #[test]
    fn an_order_is_not_that_of_the_kinds() {
        let first_digits =
            (0..400).filter(|_| texts(&PasswordSpec::default())[0].starts_with(|c: char| c.is_ascii_digit()));
        // Roughly a quarter of them.
        assert!((50..170).contains(&first_digits.count()));
    }

    proptest! {
        #[test]
        fn every_pool_length_and_flag_ends_with_the_counts_that_were_asked_for_or_an_error(
            length in -3i64..130,
            digits in proptest::option::of(-1i64..40),
            symbols in proptest::option::of(-1i64..40),
            characters in proptest::option::of("[a-e0-4!?ä]{0,12}"),
            no_upper: bool,
            allow_repeat: bool,
        ) {
            let spec = PasswordSpec {
                length, digits, symbols, symbol_characters: characters, no_upper, allow_repeat, ..PasswordSpec::default()
            };
            let Ok(values) = mint(&spec, &mut rand::rng()) else { return Ok(()) };
            let text = String::from_utf8(values["password"].expose_secret().to_vec()).unwrap();
            let length = if length <= 0 { 24 } else { usize::try_from(length).unwrap() };
            prop_assert_eq!(text.chars().count(), length);
            let quarter = i64::try_from(length / 4).unwrap();
            let of = |given: Option<i64>| usize::try_from(given.unwrap_or(quarter)).unwrap();
            prop_assert!(count(&text, DIGITS) >= of(digits));
            prop_assert!(count(&text, symbols_of(&spec).unwrap()) >= of(symbols));
            if !allow_repeat {
                prop_assert_eq!(text.chars().collect::<HashSet<_>>().len(), length);
            }
            if no_upper && !symbols_of(&spec).unwrap().contains(char::is_uppercase) {
                prop_assert!(!text.contains(char::is_uppercase));
            }
        }
    }
}
