//! What the fuzz target `regexp` and the property test below run. Whatever the bytes are, nothing of it may panic.

use crate::{Regex, quote_meta};

/// A pattern, a text and a replacement, with a zero byte between them: every way of matching, and whether they agree.
pub fn pattern(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (pattern, text, replacement) = (part(), part(), part());
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    match Regex::new(pattern) {
        Ok(regex) => {
            single(&regex, text);
            all(&regex, text);
            let _ = regex.replace_all(text, replacement);
            let _ = regex.replace_all_literal(text, replacement);
        }
        Err(error) => drop(error.to_string()),
    }
    quoted(text);
}

fn single(regex: &Regex, text: &[u8]) {
    let found = regex.find(text);
    assert_eq!(regex.is_match(text), found.is_some());
    let Some(groups) = regex.captures(text) else { return };
    assert_eq!(groups.len(), regex.group_names().len());
    assert_eq!(groups[0], found);
    for group in groups.into_iter().flatten() {
        assert!(text.get(group).is_some());
    }
}

fn all(regex: &Regex, text: &[u8]) {
    let Ok(found) = regex.find_all(text, None) else { return };
    let mut end = 0;
    for range in &found {
        assert!(end <= range.start && range.end <= text.len());
        end = range.end;
    }
    if let Ok(captures) = regex.captures_all(text, None) {
        let whole: Vec<_> = captures.into_iter().filter_map(|groups| groups[0].clone()).collect();
        assert_eq!(found, whole);
    }
    if let Ok(parts) = regex.split(text, None) {
        assert!(parts.len() <= found.len() + 1);
        assert!(parts.into_iter().all(|part| text.get(part).is_some()));
    }
    if let Ok(same) = regex.replace_all(text, b"${0}") {
        assert_eq!(&*same, text);
    }
}

/// A text that is quoted finds itself.
fn quoted(text: &[u8]) {
    let quoted = quote_meta(text);
    if let (true, Ok(quoted)) = (quoted.len() < 1000, std::str::from_utf8(&quoted)) {
        assert!(Regex::new(quoted).is_ok_and(|regex| regex.is_match(text)));
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
