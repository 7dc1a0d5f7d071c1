//! What the golden files of `tests/conformance` do not cover: our own limits.

use super::*;

fn allowance() -> Allowance {
    Allowance::new(Allowance::ONE_CALL)
}

#[test]
fn a_pattern_that_would_be_huge_is_refused_before_it_is_compiled() {
    for (pattern, kind) in [
        (r"\pL{400}".to_owned(), ErrorKind::TooLarge),
        (r"\pL{1000}".to_owned(), ErrorKind::TooLarge),
        (r"(\pL{100}|\pN{100}){10}".to_owned(), ErrorKind::TooLarge),
        (r"\pL".repeat(10_000), ErrorKind::TooLarge),
        ("(.*)".to_owned() + &"(a)?".repeat(8000), ErrorKind::TooLarge),
        ("(.*)".to_owned() + &"(a)?".repeat(1000), ErrorKind::TooLarge),
        ("(".repeat(101) + &")".repeat(101), ErrorKind::TooDeep),
        ("a".to_owned() + &"(?i)*".repeat(201), ErrorKind::TooDeep),
    ] {
        assert_eq!(Pattern::parse(&pattern).map(drop).map_err(|error| error.kind()), Err(kind), "{pattern:.40}");
    }
    assert!(Regex::new(&("(".repeat(100) + &")*".repeat(100))).is_ok());
}

#[test]
fn whatever_is_not_refused_by_its_size_can_be_compiled() {
    for part in
        [r"\pL", r"\PL", r"\p{Greek}", r"\p{Han}", "[^a]", ".", r"\w", "a", "(a)?", "[a-zé-ü]", "(?i:k)", r"(?i:\pL)"]
    {
        let repeated = |count| format!("(?:{part}){}", format!("{{{}}}", 10).repeat(count));
        // The largest accepted patterns: with up to 1000 repetitions, and with several in a row.
        let largest =
            (1..=1000).rev().map(|count| format!("(?:{part}){{{count}}}")).find(|p| Pattern::parse(p).is_ok());
        let one = largest.unwrap();
        let rows = (1..200).rev().map(|count| one.repeat(count)).find(|p| Pattern::parse(p).is_ok()).unwrap();
        let pattern = Pattern::parse(&rows).unwrap();
        assert!(pattern.compile().is_ok(), "{part}");
        assert!(Pattern::parse(&repeated(1)).is_ok(), "{part}");
    }
}

#[test]
fn a_search_that_would_take_quadratic_time_ends_with_an_error() {
    let text = vec![b'a'; 1 << 20];
    let regex = Regex::new("a|b.*z").unwrap();
    assert_eq!(regex.find_all(&text, None, &mut allowance()), Err(Exceeded::Work));
    assert_eq!(regex.find_all(&text, Some(3), &mut allowance()).map(|found| found.len()), Ok(3));
    assert_eq!(regex.is_match(&text, &mut allowance()), Ok(true));
}

#[test]
fn a_search_with_groups_weighs_states_times_groups() {
    let text = vec![b'a'; 1000];
    let spent = |pattern: &str, replacement: &[u8]| {
        let mut allowance = Allowance::new(usize::MAX);
        Regex::new(pattern).unwrap().replace_all(&text, replacement, &mut allowance).unwrap();
        usize::MAX - allowance.left()
    };
    let pattern = "(.*)".to_owned() + &"(a)?".repeat(400);
    assert!(spent(&pattern, b"$1") > 100 * spent(&pattern, b""));
}

#[test]
fn matches_of_bounded_length_cost_what_is_read_and_not_the_rest_each_time() {
    let text = b"line\n".repeat(100_000);
    let mut left = allowance();
    let found = Regex::new("\n").unwrap().find_all(&text, None, &mut left).unwrap();
    assert_eq!(found.len(), 100_000);
    assert!(Allowance::ONE_CALL - left.left() < 20 * text.len());
}

#[test]
fn an_allowance_is_for_all_searches_together() {
    let regex = Regex::new("b").unwrap();
    let mut allowance = Allowance::new(1000);
    let searches = (0..100).take_while(|_| regex.is_match(&[b'a'; 99], &mut allowance) == Ok(false));
    assert_eq!(searches.count(), 10);
}

#[test]
fn groups_that_do_not_exist_are_reported_for_a_replacement() {
    let pattern = Pattern::parse("(?P<name>.)(.*)").unwrap();
    let unknown = pattern.unknown_groups("$1_MONITOR ${1}_X $name $2 $3 ${nam} $$9 $0 $namely");
    let unknown: Vec<_> = unknown.iter().map(|group| (group.name.as_str(), group.meant.as_deref())).collect();
    let expected = [("1_MONITOR", Some("${1}_MONITOR")), ("3", None), ("nam", None), ("namely", Some("${name}ly"))];
    assert_eq!(unknown, expected);
}

#[test]
fn a_replacement_that_would_fill_the_memory_ends_with_an_error() {
    let text = vec![b'a'; 10_000];
    let replaced = Regex::new("a").unwrap().replace_all(&text, &vec![b'x'; 10_000], &mut allowance());
    assert!(matches!(replaced, Err(Exceeded::Output(_))));
}

#[test]
fn an_error_is_short_however_long_the_pattern_is() {
    let error = Regex::new(&("é(".repeat(10_000))).unwrap_err();
    assert!(error.to_string().len() < 300);
}

#[test]
fn a_clone_searches_with_what_others_have_learnt() {
    let regex = Regex::new("a(b*)").unwrap();
    let clone = regex.clone();
    // An independent copy would start over, which takes a thousand times as long as a search.
    assert!(std::sync::Arc::ptr_eq(&regex.compiled, &clone.compiled));
}
