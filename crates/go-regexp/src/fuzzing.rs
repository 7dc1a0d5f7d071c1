//! What the fuzz target `regexp` and the property test below run. No input may cause a panic.

use crate::{Allowance, Regex, quote_meta};

/// The input is a pattern, a text and a replacement, separated by zero bytes. Tries every way of matching, and compares
/// them.
pub fn pattern(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (pattern, text, replacement) = (part(), part(), part());
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    match Regex::new(pattern) {
        Ok(regex) => {
            single(&regex, text);
            all(&regex, text);
            let _ = regex.replace_all(text, replacement, &mut allowance());
            let _ = regex.replace_all_literal(text, replacement, &mut allowance());
        }
        Err(error) => drop(error.to_string()),
    }
    quoted(text);
}

fn allowance() -> Allowance {
    Allowance::new(Allowance::ONE_CALL)
}

fn single(regex: &Regex, text: &[u8]) {
    let Ok(found) = regex.find(text, &mut allowance()) else { return };
    assert_eq!(regex.is_match(text, &mut allowance()), Ok(found.is_some()));
    let Ok(Some(groups)) = regex.captures(text, &mut allowance()) else { return };
    assert_eq!(groups.len(), regex.group_names().len());
    assert_eq!(groups[0], found);
    for group in groups.into_iter().flatten() {
        assert!(text.get(group).is_some());
    }
}

fn all(regex: &Regex, text: &[u8]) {
    let Ok(found) = regex.find_all(text, None, &mut allowance()) else { return };
    let mut end = 0;
    for range in &found {
        assert!(end <= range.start && range.end <= text.len());
        end = range.end;
    }
    if let Ok(captures) = regex.captures_all(text, None, &mut allowance()) {
        let whole: Vec<_> = captures.into_iter().filter_map(|groups| groups[0].clone()).collect();
        assert_eq!(found, whole);
    }
    if let Ok(parts) = regex.split(text, None, &mut allowance()) {
        assert!(parts.len() <= found.len() + 1);
        assert!(parts.into_iter().all(|part| text.get(part).is_some()));
    }
    if let Ok(same) = regex.replace_all(text, b"${0}", &mut allowance()) {
        assert_eq!(&*same, text);
    }
}

/// A quoted text matches itself.
fn quoted(text: &[u8]) {
    let quoted = quote_meta(text);
    if let (true, Ok(quoted)) = (quoted.len() < 1000, std::str::from_utf8(&quoted)) {
        assert!(Regex::new(quoted).is_ok_and(|regex| regex.is_match(text, &mut allowance()) == Ok(true)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::pattern;

    proptest! {
        #[test]
        fn the_ways_of_matching_agree(
            words in "(a|b|ä|\\.|\\*|\\+|\\?|\\||\\(|\\(\\?:|\\)|\\[a-c\\]|\\\\pL|\\\\b|\\^|\\$|\\{1,3\\}|\\(\\?i\\)){0,12}",
            text in "(a|b|ä|Ä|\n| ){0,12}",
            replacement in "(\\$1|\\$\\{0\\}|x|\\$){0,3}",
        ) {
            pattern(format!("{words}\0{text}\0{replacement}").as_bytes());
        }
    }
}
