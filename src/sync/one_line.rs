//! Texts to be shown: on one line, and of limited length.

/// A text without control characters, with which a manifest could write lines of its own into a terminal or a log.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    // Characters that change the direction of text or begin a line are not in the category of control characters.
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect()
}

/// The beginning of a text, of at most `length` bytes.
#[must_use]
pub fn truncated(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

/// A text of at most `length` bytes, ending in dots if something was cut off.
#[must_use]
pub fn shortened(text: String, length: usize) -> String {
    if text.len() <= length { text } else { format!("{}...", truncated(&text, length.saturating_sub(3))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_manifest_begins_no_line_and_colors_nothing() {
        assert_eq!(on_one_line("a\nb\r\u{1b}[31mc\u{202e}d\u{2028}e ü"), "a b  [31mc d e ü");
    }

    #[test]
    fn a_long_text_ends_in_dots_between_two_characters() {
        assert_eq!(shortened("äöü".to_owned(), 6), "äöü");
        assert_eq!(shortened("äöüä".to_owned(), 6), "ä...");
    }
}
