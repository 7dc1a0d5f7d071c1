//! How a text is written: plain, quoted, or as a block.

use super::scalar;

/// A style of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// Which styles a text allows.
#[allow(clippy::struct_excessive_bools, reason = "they are independent findings")]
#[derive(Clone, Copy, Default)]
pub(super) struct Findings {
    pub(super) has_breaks: bool,
    no_plain: bool,
    no_single: bool,
    no_block: bool,
}

/// Where a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As a key on the line of its value.
    SimpleKey,
    Elsewhere,
}

/// The style of a text.
pub(super) fn of_text(text: &str, findings: Findings, place: Place) -> Style {
    let is_other = scalar::resolve(text).is_some() || scalar::is_sexagesimal(text);
    let wanted = match text {
        _ if text.contains('\n') => Style::Literal,
        _ if is_other => Style::DoubleQuoted,
        _ => Style::Plain,
    };
    let is_key = place == Place::SimpleKey;
    match wanted {
        _ if is_key && findings.has_breaks => Style::DoubleQuoted,
        Style::Plain if !findings.no_plain => Style::Plain,
        Style::Plain | Style::SingleQuoted if !findings.no_single => Style::SingleQuoted,
        Style::Literal if !findings.no_block && !is_key => Style::Literal,
        _ => Style::DoubleQuoted,
    }
}

/// Examines a text for what rules out a style.
pub(super) fn analyze(text: &str) -> Findings {
    if text.is_empty() {
        return Findings { no_block: true, ..Findings::default() };
    }
    let characters: Vec<char> = text.chars().collect();
    let has_breaks = characters.iter().copied().any(is_break);
    let is_edge = |test: fn(char) -> bool| {
        characters.first().copied().is_some_and(test) || characters.last().copied().is_some_and(test)
    };
    let pairs = |first: fn(char) -> bool, second: fn(char) -> bool| {
        characters.windows(2).any(|pair| matches!(pair, &[a, b] if first(a) && second(b)))
    };
    let space_break = pairs(is_space, is_break);
    let break_space = pairs(is_break, is_space);
    let is_special = !characters.iter().copied().all(is_printable);
    let no_single = break_space || space_break || is_special;
    Findings {
        has_breaks,
        no_plain: no_single || has_breaks || is_edge(is_space) || is_edge(is_break) || has_indicator(text, &characters),
        no_single,
        no_block: space_break || is_special || characters.last().copied().is_some_and(is_space),
    }
}

/// Whether a plain text would be read as something else.
fn has_indicator(text: &str, characters: &[char]) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    characters.iter().enumerate().any(|(at, &character)| {
        let is_followed_by_blank = characters.get(at + 1).copied().is_none_or(is_blank);
        let before = at.checked_sub(1).and_then(|before| characters.get(before)).copied();
        match (character, before) {
            (',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`', None) => true,
            ('?' | '-', None) | (':', _) => is_followed_by_blank,
            ('#', before) => before.is_none_or(|before| is_blank(before) || is_break(before) || before == '\0'),
            _ => false,
        }
    })
}

pub(super) const fn is_space(character: char) -> bool {
    character == ' '
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// Whether a character ends a line.
pub(super) const fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character need not be escaped. go-yaml escapes everything beyond U+FFFF.
pub(super) const fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && character != '\u{feff}'
}
