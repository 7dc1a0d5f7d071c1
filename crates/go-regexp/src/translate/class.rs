//! Character classes.

use super::escape::CodePoint;
use super::{ANY_SIZE, Error, ErrorKind, Flags, Item, LONGEST_CHARACTER, Translator, WIDE_SIZE, unicode, write_char};

/// A class without characters.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";
pub(super) const EVERYTHING: &str = r"[\x{0}-\x{10FFFF}]";
/// The POSIX classes, which are ASCII only.
const POSIX: [(&str, &str); 14] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x{0}-\x{7F}"),
    ("blank", r"\t\x{20}"),
    ("cntrl", r"\x{0}-\x{1F}\x{7F}"),
    ("digit", "0-9"),
    ("graph", r"\x{21}-\x{7E}"),
    ("lower", "a-z"),
    ("print", r"\x{20}-\x{7E}"),
    ("punct", r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}"),
    ("space", r"\t\n\x{B}\f\r\x{20}"),
    ("upper", "A-Z"),
    ("word", r"0-9A-Za-z\x{5F}"),
    ("xdigit", "0-9A-Fa-f"),
];

impl<'p> Translator<'p> {
    /// Parses `[...]`.
    pub(super) fn class(&mut self) -> Result<Item, Error> {
        let start = self.rest;
        self.skip(1);
        let mut class = Item::leaf("[", 1);
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            class = Item::leaf("[^", ANY_SIZE);
        }
        let opening = class.text.len();
        let mut is_first = true;
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            let part = match self.posix_class()? {
                Some(part) => part,
                None => match self.class_escape()? {
                    Some(part) => part,
                    None => self.range(start)?,
                },
            };
            class.append(&part);
        }
        self.skip(1);
        if class.text.len() == opening {
            class.text.push_str(NOTHING);
        }
        class.text.push(']');
        class.text = self.folded(class.text);
        if self.flags.has(Flags::FOLD_CASE) {
            class.size = class.size.saturating_mul(2);
        }
        // Whatever it contains, it matches one character.
        class.longest = Some(LONGEST_CHARACTER);
        Ok(class)
    }

    /// Parses a character or a range in a class that began at `class`.
    fn range(&mut self, class: &'p str) -> Result<Item, Error> {
        let start = self.rest;
        let from = self.class_character(class)?;
        let mut to = from;
        // In `[a-]` it is literal.
        if let Some(rest) = self.rest.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with(']')) {
            self.rest = rest;
            to = self.class_character(class)?;
        }
        if to < from {
            return Err(Error::new(ErrorKind::InvalidRange, self.since(start)));
        }
        // Leaves out the surrogates, which no text contains.
        let from = from.character().unwrap_or('\u{E000}');
        let to = to.character().unwrap_or('\u{D7FF}');
        let mut text = String::new();
        if from <= to {
            write_char(&mut text, from);
            text.push('-');
            write_char(&mut text, to);
        }
        let size = if to.is_ascii() { 1 } else { 2 * WIDE_SIZE };
        Ok(Item::leaf(text, size))
    }

    fn class_character(&mut self, class: &'p str) -> Result<CodePoint, Error> {
        if self.rest.starts_with('\\') {
            return self.character_escape();
        }
        match self.next() {
            Some(character) => Ok(CodePoint(u32::from(character))),
            None => Err(Error::new(ErrorKind::MissingBracket, class)),
        }
    }

    /// Parses `[:alpha:]` or `[:^alpha:]`, if that comes next.
    fn posix_class(&mut self) -> Result<Option<Item>, Error> {
        let start = self.rest;
        let Some((name, rest)) = start.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) else {
            return Ok(None);
        };
        self.rest = rest;
        let (sign, plain) = name.strip_prefix('^').map_or(("", name), |plain| ("^", plain));
        match POSIX.iter().find(|(known, _)| *known == plain) {
            Some((_, ranges)) => Ok(Some(Item::leaf(format!("[{sign}{ranges}]"), ANY_SIZE))),
            None => Err(Error::new(ErrorKind::InvalidRange, self.since(start))),
        }
    }

    /// Parses `\d`, `\pL` and the like, if one comes next. The result belongs inside a class.
    pub(super) fn class_escape(&mut self) -> Result<Option<Item>, Error> {
        let letter = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next());
        let ranges = match letter {
            Some('d' | 'D') => "0-9",
            // Without the vertical tab, unlike `[:space:]`.
            Some('s' | 'S') => r"\t\n\f\r\x{20}",
            Some('w' | 'W') => r"0-9A-Za-z\x{5F}",
            Some('p' | 'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.skip(2);
        let sign = if letter.is_some_and(|letter| letter.is_ascii_uppercase()) { "^" } else { "" };
        Ok(Some(Item::leaf(format!("[{sign}{ranges}]"), ANY_SIZE)))
    }

    /// Parses `\pL`, `\p{Greek}`, `\p{^Greek}` or `\P{Greek}`.
    fn unicode_class(&mut self) -> Result<Item, Error> {
        let start = self.rest;
        let mut negated = start.starts_with(r"\P");
        self.skip(2);
        let name = match self.next() {
            Some('{') => {
                let Some((name, rest)) = self.rest.split_once('}') else {
                    return Err(Error::new(ErrorKind::InvalidRange, start));
                };
                self.rest = rest;
                name
            }
            _ => self.since(start).get(2..).unwrap_or_default(),
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        match unicode::class(name, negated) {
            Some(class) => Ok(Item::leaf(class.text, class.size)),
            None => Err(Error::new(ErrorKind::InvalidRange, self.since(start))),
        }
    }
}
