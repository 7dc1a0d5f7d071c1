//! Upper and lower case.

use super::characters::{self, characters, is_lower, is_punctuation, is_title, is_upper, to_lower, to_title, to_upper};
use super::{Result, Table, mismatch, written};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::functions::{Call, Function};
use crate::parser::decode;
use crate::value::{Type, Value};
use go_regexp::is_letter;

pub(super) const TABLE: Table = &[
    ("camelcase", Function::fixed(&[Type::String], camelcase)),
    ("kebabcase", Function::fixed(&[Type::String], |arguments, call| separated(arguments, '-', call))),
    ("lower", Function::fixed(&[Type::String], |arguments, call| each(arguments, call, to_lower))),
    ("snakecase", Function::fixed(&[Type::String], |arguments, call| separated(arguments, '_', call))),
    ("swapcase", Function::fixed(&[Type::String], swapcase)),
    ("title", Function::fixed(&[Type::String], title)),
    ("untitle", Function::fixed(&[Type::String], untitle)),
    ("upper", Function::fixed(&[Type::String], |arguments, call| each(arguments, call, to_upper))),
];

/// The string with `change` applied to each character.
fn each(arguments: &[Value], call: &mut Call<'_>, mut change: impl FnMut(char) -> char) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    let mut output = Buffer::default();
    for character in characters(text) {
        characters::push(&mut output, change(character), call.budget)?;
    }
    Ok(written(output))
}

/// Swaps upper and lower case; a lower-case letter at the start of a word becomes title case.
fn swapcase(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut is_after_space = true;
    each(arguments, call, |character| {
        if is_upper(character) || is_title(character) {
            is_after_space = false;
            to_lower(character)
        } else if is_lower(character) {
            if std::mem::take(&mut is_after_space) { to_title(character) } else { to_upper(character) }
        } else {
            is_after_space = character.is_whitespace();
            character
        }
    })
}

/// Go's `strings.Title`: in ASCII, a word ends at anything except letters, digits and underscores; beyond ASCII, at
/// spaces.
fn title(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut previous = ' ';
    each(arguments, call, |character| {
        let is_start = if previous.is_ascii() {
            !(previous.is_ascii_alphanumeric() || previous == '_')
        } else {
            previous.is_whitespace()
        };
        previous = character;
        if is_start { to_title(character) } else { character }
    })
}

/// Lower-cases the first character of each word.
fn untitle(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let mut is_start = true;
    each(arguments, call, |character| {
        if character.is_whitespace() {
            is_start = true;
            character
        } else if std::mem::take(&mut is_start) {
            to_lower(character)
        } else {
            character
        }
    })
}

/// What separates words.
fn is_connector(character: char) -> bool {
    matches!(character, '-' | '_') || character.is_whitespace()
}

/// `http_server` becomes `HttpServer`, as in `ToPascalCase` of the library xstrings. Leading connectors stay.
fn camelcase(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    let mut output = Buffer::default();
    let mut rest = characters(text).peekable();
    let mut last_connector = None;
    while let Some(connector) = rest.next_if(|&character| is_connector(character)) {
        characters::push(&mut output, connector, call.budget)?;
        last_connector = Some(connector);
    }
    let Some(first) = rest.next() else {
        // If a string has only connectors, the library writes the last one twice.
        if let Some(connector) = last_connector {
            characters::push(&mut output, connector, call.budget)?;
        }
        return Ok(written(output));
    };
    let mut follows_upper = is_upper(first);
    let mut current = to_upper(first);
    for next in rest {
        let previous = std::mem::replace(&mut current, next);
        if is_connector(next) && is_connector(previous) {
            characters::push(&mut output, previous, call.budget)?;
        } else if is_connector(previous) {
            follows_upper = is_upper(next);
            current = to_upper(next);
        } else {
            if follows_upper && is_upper(next) {
                current = to_lower(next);
            } else {
                follows_upper = false;
            }
            characters::push(&mut output, previous, call.budget)?;
        }
    }
    characters::push(&mut output, current, call.budget)?;
    Ok(written(output))
}

/// What a word consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The end of the string, or only bytes that are not UTF-8.
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

#[derive(Clone, Copy)]
struct Word<'t> {
    kind: Kind,
    text: &'t [u8],
}

/// `HTTPServer` becomes `http_server`, as in the library xstrings.
fn separated(arguments: &[Value], connector: char, call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    let mut words = Words { rest: text };
    let mut output = Separated { output: Buffer::default(), connector, budget: call.budget };
    let mut word = words.next_word();
    while !words.rest.is_empty() {
        word = output.join(word, &mut words)?;
    }
    output.push(&word)?;
    Ok(written(output.output))
}

/// The words of a string, joined with a connector.
struct Separated<'b> {
    output: Buffer,
    connector: char,
    budget: &'b mut Budget,
}

impl Separated<'_> {
    /// Writes a word with what belongs to it, and the connector. Returns the next word.
    fn join<'t>(&mut self, word: Word<'t>, words: &mut Words<'t>) -> std::result::Result<Word<'t>, Exceeded> {
        if word.kind != Kind::Connector {
            self.push(&word)?;
        }
        let next = words.next_word();
        match word.kind {
            Kind::Number => self.rest_of_number(next, words),
            Kind::Connector => {
                self.push(&word)?;
                Ok(next)
            }
            Kind::Punctuation => Ok(next),
            _ if next.kind != Kind::Number => {
                self.connect_unless(&next, &[Kind::Connector, Kind::Punctuation])?;
                Ok(next)
            }
            _ if words.rest.is_empty() => Ok(next),
            _ => self.number(next, words),
        }
    }

    /// A number after letters, which is part of the word before it unless lower-case letters follow.
    fn number<'t>(&mut self, number: Word<'t>, words: &mut Words<'t>) -> std::result::Result<Word<'t>, Exceeded> {
        let next = words.next_word();
        if next.kind != Kind::Alphabet {
            self.push(&number)?;
            self.connect_unless(&next, &[Kind::Connector, Kind::Punctuation])?;
            return Ok(next);
        }
        self.connect()?;
        self.push(&number)?;
        self.rest_of_number(next, words)
    }

    /// What is not separated from a number: lower-case letters and further numbers.
    fn rest_of_number<'t>(
        &mut self,
        mut word: Word<'t>,
        words: &mut Words<'t>,
    ) -> std::result::Result<Word<'t>, Exceeded> {
        while matches!(word.kind, Kind::Alphabet | Kind::Number) {
            self.push(&word)?;
            word = words.next_word();
        }
        self.connect_unless(&word, &[Kind::Invalid, Kind::Punctuation, Kind::Connector])?;
        Ok(word)
    }

    fn connect_unless(&mut self, next: &Word<'_>, kinds: &[Kind]) -> std::result::Result<(), Exceeded> {
        if kinds.contains(&next.kind) { Ok(()) } else { self.connect() }
    }

    fn connect(&mut self) -> std::result::Result<(), Exceeded> {
        characters::push(&mut self.output, self.connector, self.budget)
    }

    fn push(&mut self, word: &Word<'_>) -> std::result::Result<(), Exceeded> {
        if !matches!(word.kind, Kind::Upper | Kind::Connector) {
            return self.output.push(word.text, self.budget);
        }
        for character in characters(word.text) {
            let shown = if is_connector(character) {
                self.connector
            } else if is_upper(character) {
                to_lower(character)
            } else {
                character
            };
            characters::push(&mut self.output, shown, self.budget)?;
        }
        Ok(())
    }
}

/// Splits a string into words.
struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    fn next_word(&mut self) -> Word<'t> {
        let text = self.rest;
        let (first, start) = next_valid(text, char::REPLACEMENT_CHARACTER);
        let (kind, len) = match first {
            char::REPLACEMENT_CHARACTER => (Kind::Invalid, start),
            _ if is_connector(first) => (Kind::Connector, end(text, start, first, is_connector)),
            _ if is_punctuation(first) => (Kind::Punctuation, end(text, start, first, is_punctuation)),
            _ if is_upper(first) => (Kind::Upper, upper_word(text, start, first)),
            _ if is_alphabet(first) => (Kind::Alphabet, end(text, start, first, is_lower_alphabet)),
            _ if first.is_numeric() => (Kind::Number, end(text, start, first, char::is_numeric)),
            _ => (Kind::Other, end(text, start, first, is_other)),
        };
        let (word, rest) = text.split_at_checked(len).unwrap_or((text, &[]));
        self.rest = rest;
        Word { kind, text: word }
    }
}

/// Where a word that begins with an upper-case letter ends: `HTTP` in `HTTPServer`, or `Server`.
fn upper_word(text: &[u8], start: usize, first: char) -> usize {
    let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) else { return start };
    let (second, size) = next_valid(rest, first);
    if !is_upper(second) {
        return if is_alphabet(second) { end(text, start + size, second, is_lower_alphabet) } else { start };
    }
    let mut at = start + size;
    let mut last_size = size;
    let mut following = second;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (character, size) = next_valid(rest, following);
        following = character;
        if !is_upper(character) {
            break;
        }
        last_size = size;
        at += size;
    }
    // The last upper-case letter begins the word of the lower-case letters that follow.
    if at < text.len() && is_alphabet(following) { at - last_size } else { at }
}

/// Where the characters of a word end; `start` bytes of it have been read.
fn end(text: &[u8], start: usize, first: char, belongs: impl Fn(char) -> bool) -> usize {
    let (mut at, mut previous) = (start, first);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (character, size) = next_valid(rest, previous);
        previous = character;
        if !belongs(character) {
            break;
        }
        at += size;
    }
    at
}

/// The next valid character and the position after it; `otherwise` if there is none.
fn next_valid(text: &[u8], otherwise: char) -> (char, usize) {
    let mut at = 0;
    while let Some((character, len)) = decode(text.get(at..).unwrap_or_default()) {
        at += len;
        if character != char::REPLACEMENT_CHARACTER {
            return (character, at);
        }
    }
    (otherwise, at)
}

fn is_other(character: char) -> bool {
    !(is_connector(character) || is_alphabet(character) || character.is_numeric() || is_punctuation(character))
}

fn is_lower_alphabet(character: char) -> bool {
    is_alphabet(character) && !is_upper(character)
}

/// A letter, except Chinese ones.
fn is_alphabet(character: char) -> bool {
    is_letter(character)
        && !matches!(character, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}')
}
