//! Reads a pattern as Go does, and writes it in the syntax of the crate `regex`, with nothing left
//! to its defaults.

mod class;
mod escape;
mod flags;
mod repeat;
mod unicode;

use std::fmt::Write as _;

use flags::Flags;

use super::{Error, ErrorKind};

/// How deep groups may be nested (in Go: 1000, together with repetitions).
const MAX_NESTING: usize = 100;
/// How deep the written pattern may be nested: a group, what repeats it, and what sets its flags.
pub(super) const MAX_COMPILED_NESTING: u32 = 500;
/// About how many states a pattern may have.
pub(super) const MAX_SIZE: usize = 100_000;

/// A pattern for the crate `regex`.
#[derive(Clone)]
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The names of the groups, the whole match first.
    pub(super) names: Vec<Option<String>>,
    /// About how many states it has.
    pub(super) size: usize,
    /// How many bytes a match has at most, where there is a bound.
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
    /// What was not read yet.
    rest: &'p str,
    flags: Flags,
    names: Vec<Option<String>>,
    /// How many groups are open.
    depth: usize,
    /// About how many states were written, repetitions apart.
    size: usize,
}

/// A part of the pattern.
#[derive(Default)]
struct Item {
    /// It in the syntax of the crate `regex`.
    text: String,
    /// About how many states it has.
    size: usize,
    /// How many bytes it matches at most; `None` where there is no bound.
    longest: Option<usize>,
    /// How often its innermost part is repeated, by all `{n}` together.
    repeats: usize,
    /// How many repetitions and groups are nested in it.
    height: usize,
    /// Whether it ends with a repetition.
    is_repeat: bool,
}

impl Item {
    /// A part that holds no other.
    fn leaf(text: impl Into<String>, size: usize) -> Self {
        Self { text: text.into(), size, longest: Some(LONGEST_CHARACTER), repeats: 1, height: 0, is_repeat: false }
    }

    /// Puts `next` behind it.
    fn append(&mut self, next: &Self) {
        self.text.push_str(&next.text);
        self.size = self.size.saturating_add(next.size);
        self.longest = self.longest.zip(next.longest).map(|(before, next)| before.saturating_add(next));
        self.repeats = self.repeats.max(next.repeats);
        self.height = self.height.max(next.height);
    }
}

impl<'p> Translator<'p> {
    /// Reads up to the end of the group, or of the pattern.
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
        // Before it costs memory.
        self.size = self.size.saturating_add(items.last().map_or(0, |item| item.size));
        if self.size > 4 * MAX_SIZE { Err(Error::new(ErrorKind::TooLarge, self.pattern)) } else { Ok(()) }
    }

    /// Reads a group whose opening was read; `opening` is what opens it in the written pattern, `after`
    /// are the flags that hold behind it.
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

    /// A character that stands for itself.
    fn literal(&self, character: char) -> Item {
        let mut text = String::new();
        write_char(&mut text, character);
        let is_simple = character.is_ascii() && !self.flags.has(Flags::FOLD_CASE);
        Item::leaf(self.folded(text), if is_simple { 1 } else { WIDE_SIZE })
    }

    /// `text` so that it matches in upper and lower case, if the flags say so.
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

/// About how many states any character takes, which is one to four bytes.
const ANY_SIZE: usize = 25;
/// About how many states a character beyond ASCII takes, or one in upper and lower case.
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
