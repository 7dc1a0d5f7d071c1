//! Parses a pattern as Go does, and writes it in the syntax of the crate `regex`, without relying on its defaults.

mod class;
mod escape;
mod flags;
mod repeat;
mod unicode;

use std::fmt::Write as _;

use flags::Flags;

use super::{Error, ErrorKind};

/// The deepest nesting of groups (in Go: 1000, together with repetitions).
const MAX_NESTING: usize = 100;
/// The deepest nesting of the written pattern: each group, its repetition, and its flags.
pub(super) const MAX_COMPILED_NESTING: u32 = 500;
/// Roughly the most states of a pattern.
pub(super) const MAX_SIZE: usize = 100_000;

/// A pattern for the crate `regex`.
#[derive(Clone)]
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The names of the groups, the whole match first.
    pub(super) names: Vec<Option<String>>,
    /// Roughly the number of states.
    pub(super) size: usize,
    /// The most bytes of a match, if limited.
    pub(super) longest: Option<usize>,
}

pub(super) fn translate(pattern: &str) -> Result<Translation, Error> {
    let mut translator =
        Translator { pattern, rest: pattern, flags: Flags::default(), names: vec![None], depth: 0, size: 0 };
    let whole = translator.alternation()?;
    if !translator.rest.is_empty() {
        return Err(Error::new(ErrorKind::UnexpectedParenthesis, pattern));
    }
    Ok(Translation { pattern: whole.text, names: translator.names, size: whole.size, longest: whole.longest })
}

struct Translator<'p> {
    pattern: &'p str,
    /// The rest, not parsed yet.
    rest: &'p str,
    flags: Flags,
    names: Vec<Option<String>>,
    /// The number of open groups.
    depth: usize,
    /// Roughly the number of states written so far, not counting repetitions.
    size: usize,
}

/// A part of the pattern.
#[derive(Default)]
struct Item {
    /// The part in the syntax of the crate `regex`.
    text: String,
    /// Roughly the number of states.
    size: usize,
    /// The most bytes that it matches; `None` if unlimited.
    longest: Option<usize>,
    /// How often its innermost part is repeated, by all `{n}` together.
    repeats: usize,
    /// The depth of nested repetitions and groups.
    height: usize,
    /// Whether it ends with a repetition.
    is_repeat: bool,
}

impl Item {
    /// A part that contains no other.
    fn leaf(text: impl Into<String>, size: usize) -> Self {
        Self { text: text.into(), size, longest: Some(LONGEST_CHARACTER), repeats: 1, height: 0, is_repeat: false }
    }

    /// Appends `next`.
    fn append(&mut self, next: &Self) {
        self.text.push_str(&next.text);
        self.size = self.size.saturating_add(next.size);
        self.longest = self.longest.zip(next.longest).map(|(before, next)| before.saturating_add(next));
        self.repeats = self.repeats.max(next.repeats);
        self.height = self.height.max(next.height);
    }
}

impl<'p> Translator<'p> {
    /// Parses up to the end of the group or of the pattern.
    fn alternation(&mut self) -> Result<Item, Error> {
        let mut whole = Item::leaf("", 1);
        let mut items: Vec<Item> = Vec::new();
        let mut last_repeat = None;
        while let Some(next) = self.rest.chars().next() {
            let before = self.rest;
            let mut repeat = None;
            match next {
                ')' => break,
                '|' => {
                    self.skip(1);
                    items.drain(..).for_each(|item| whole.append(&item));
                    whole.append(&Item::leaf("|", 1));
                }
                '*' | '+' | '?' | '{' => {
                    if self.repeat(&mut items, last_repeat)? {
                        repeat = Some(before);
                    }
                }
                _ => self.atom(next, &mut items)?,
            }
            last_repeat = repeat;
        }
        items.drain(..).for_each(|item| whole.append(&item));
        if whole.size > MAX_SIZE {
            return Err(Error::new(ErrorKind::TooLarge, self.pattern));
        }
        Ok(whole)
    }

    fn atom(&mut self, next: char, items: &mut Vec<Item>) -> Result<(), Error> {
        match next {
            '(' if self.rest.starts_with("(?") => items.extend(self.group_with_question_mark()?),
            '(' => {
                self.skip(1);
                self.names.push(None);
                items.push(self.group("(", self.flags)?);
            }
            '[' => items.push(self.class()?),
            '\\' => return self.escape(items),
            _ => {
                self.skip(next.len_utf8());
                items.push(match next {
                    '^' if self.flags.has(Flags::MULTI_LINE) => Item::leaf("(?m:^)", 1),
                    '^' => Item::leaf(r"\A", 1),
                    '$' if self.flags.has(Flags::MULTI_LINE) => Item::leaf("(?m:$)", 1),
                    '$' => Item::leaf(r"\z", 1),
                    '.' if self.flags.has(Flags::DOT_NEWLINE) => Item::leaf("(?s:.)", ANY_SIZE),
                    '.' => Item::leaf(r"[^\n]", ANY_SIZE),
                    character => self.literal(character),
                });
            }
        }
        // Checked before it costs memory.
        self.size = self.size.saturating_add(items.last().map_or(0, |item| item.size));
        if self.size > 4 * MAX_SIZE { Err(Error::new(ErrorKind::TooLarge, self.pattern)) } else { Ok(()) }
    }

    /// Parses a group whose opening has been read; `opening` opens it in the written pattern, and `after` are the flags
    /// in effect after it.
    fn group(&mut self, opening: &str, after: Flags) -> Result<Item, Error> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Error::new(ErrorKind::TooDeep, self.pattern));
        }
        let inner = self.alternation()?;
        self.rest =
            self.rest.strip_prefix(')').ok_or_else(|| Error::new(ErrorKind::MissingParenthesis, self.pattern))?;
        self.flags = after;
        self.depth -= 1;
        let text = format!("{opening}{})", inner.text);
        Ok(Item { text, size: inner.size.saturating_add(2), height: inner.height + 1, is_repeat: false, ..inner })
    }

    /// A literal character.
    fn literal(&self, character: char) -> Item {
        let mut text = String::new();
        write_char(&mut text, character);
        let is_simple = character.is_ascii() && !self.flags.has(Flags::FOLD_CASE);
        Item::leaf(self.folded(text), if is_simple { 1 } else { WIDE_SIZE })
    }

    /// Makes `text` match in upper and lower case, if the flags require it.
    fn folded(&self, text: String) -> String {
        if self.flags.has(Flags::FOLD_CASE) { format!("(?i:{text})") } else { text }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// What was read since `start`.
    fn since(&self, start: &'p str) -> &'p str {
        start.get(..start.len() - self.rest.len()).unwrap_or(start)
    }
}

/// Roughly the states for any character, which has one to four bytes.
const ANY_SIZE: usize = 25;
/// Roughly the states for a character beyond ASCII, or for one in upper and lower case.
const WIDE_SIZE: usize = 6;
/// Bytes of a character.
const LONGEST_CHARACTER: usize = 4;

/// Writes a character, in a class or outside of one.
fn write_char(out: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        out.push(character);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, r"\x{{{:X}}}", u32::from(character));
    }
}
