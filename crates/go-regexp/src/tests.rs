//! What the goldens of `tests/conformance` cannot say: our own bounds.

use super::*;

#[test]
fn a_pattern_that_would_be_huge_is_refused() {
    for (pattern, kind) in [
        (r"\pL{1000}".to_owned(), ErrorKind::TooLarge),
        (r"(\pL{100}|\pN{100}){10}".to_owned(), ErrorKind::TooLarge),
        (r"\pL".repeat(10_000), ErrorKind::TooLarge),
        ("(".repeat(101) + &")".repeat(101), ErrorKind::TooDeep),
        ("a".to_owned() + &"(?i)*".repeat(201), ErrorKind::TooDeep),
    ] {
        assert_eq!(Regex::new(&pattern).map(drop).map_err(|error| error.kind()), Err(kind), "{pattern:.40}");
    }
    assert!(Regex::new(&("(".repeat(100) + &")*".repeat(100))).is_ok());
}

#[test]
fn a_search_that_would_take_quadratic_time_ends_with_an_error() {
    let text = vec![b'a'; 1 << 20];
    let regex = Regex::new("a|b.*z").unwrap();
    assert_eq!(regex.find_all(&text, None), Err(Exceeded::Work));
    assert_eq!(regex.find_all(&text, Some(3)).map(|found| found.len()), Ok(3));
    assert!(regex.is_match(&text));
}

#[test]
fn a_replacement_that_would_fill_the_memory_ends_with_an_error() {
    let text = vec![b'a'; 10_000];
    let replaced = Regex::new("a").unwrap().replace_all(&text, &vec![b'x'; 10_000]);
    assert!(matches!(replaced, Err(Exceeded::Output(_))));
}

#[test]
fn an_error_is_short_however_long_the_pattern_is() {
    let error = Regex::new(&("é(".repeat(10_000))).unwrap_err();
    assert!(error.to_string().len() < 300);
}
