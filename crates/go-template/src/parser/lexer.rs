//! Splits a template into tokens.
//!
//! A state machine with two states. Outside of actions, everything is text up to the next left delimiter. Inside, the
//! next character determines the kind of token. Comments, and the white space that trim markers remove, never reach the
//! parser.

use super::token::{Keyword, Kind, Token};

use crate::format::quote;

/// The delimiters of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiters {
    left: String,
    right: String,
}

impl Delimiters {
    /// Custom delimiters; an empty one means the default.
    #[must_use]
    pub fn new(left: &str, right: &str) -> Self {
        let or_default = |own: &str, default: &str| if own.is_empty() { default.to_owned() } else { own.to_owned() };
        Self { left: or_default(left, "{{"), right: or_default(right, "}}") }
    }
}

/// `{{` and `}}`.
impl Default for Delimiters {
    fn default() -> Self {
        Self::new("", "")
    }
}

/// The length of a trim marker: a minus and the adjacent space.
const TRIM_MARKER: usize = 2;

/// The state of the lexer.
#[derive(Clone, Copy)]
enum State {
    Text,
    Action {
        /// The number of open parentheses.
        parentheses: usize,
    },
    /// After an error, nothing follows.
    Stopped,
}

pub(super) struct Lexer<'t> {
    input: &'t [u8],
    delimiters: &'t Delimiters,
    /// Where the current token begins.
    start: usize,
    /// How far the text has been read.
    at: usize,
    state: State,
}

impl<'t> Lexer<'t> {
    pub(super) const fn new(input: &'t [u8], delimiters: &'t Delimiters) -> Self {
        Self { input, delimiters, start: 0, at: 0, state: State::Text }
    }

    /// The next token; at the end, [`Kind::End`] repeatedly.
    pub(super) fn next_token(&mut self) -> Token<'t> {
        match self.state {
            State::Text => self.text(),
            State::Action { parentheses } => self.inside_action(parentheses),
            State::Stopped => self.token(Kind::End),
        }
    }

    /// Text up to the next action, or the delimiter that opens it.
    fn text(&mut self) -> Token<'t> {
        loop {
            self.start = self.at;
            let Some(len) = find(self.rest(), self.delimiters.left.as_bytes()) else {
                self.at = self.input.len();
                return self.token(if self.at > self.start { Kind::Text } else { Kind::End });
            };
            let delimiter_end = self.at + len + self.delimiters.left.len();
            let text = self.rest().get(..len).unwrap_or_default();
            let trimmed = if has_left_trim_marker(self.input.get(delimiter_end..)) { trim_end(text) } else { text };
            if !trimmed.is_empty() {
                self.at += trimmed.len();
                let token = self.token(Kind::Text);
                self.at = delimiter_end - self.delimiters.left.len();
                return token;
            }
            self.at += len;
            self.start = self.at;
            self.at = delimiter_end;
            if let Some(token) = self.left_delimiter() {
                return token;
            }
        }
    }

    /// What follows the left delimiter, which has been read; `None` after a comment.
    fn left_delimiter(&mut self) -> Option<Token<'t>> {
        let marker = if has_left_trim_marker(Some(self.rest())) { TRIM_MARKER } else { 0 };
        if self.rest().get(marker..).is_some_and(|rest| rest.starts_with(b"/*")) {
            self.at += marker;
            return self.comment().err();
        }
        let token = self.token(Kind::LeftDelimiter);
        self.at += marker;
        self.state = State::Action { parentheses: 0 };
        Some(token)
    }

    /// Skips a comment, including its opening.
    fn comment(&mut self) -> Result<(), Token<'t>> {
        self.start = self.at;
        self.at += 2;
        let Some(len) = find(self.rest(), b"*/") else { return Err(self.error("unclosed comment".to_owned())) };
        self.at += len + 2;
        let Some(marker) = self.right_delimiter() else {
            return Err(self.error("comment ends before closing delimiter".to_owned()));
        };
        self.skip_right_delimiter(marker);
        Ok(())
    }

    /// The length of the trim marker before the right delimiter, if that comes next.
    fn right_delimiter(&self) -> Option<usize> {
        let right = self.delimiters.right.as_bytes();
        match self.rest() {
            [b' ' | b'\t' | b'\r' | b'\n', b'-', rest @ ..] if rest.starts_with(right) => Some(TRIM_MARKER),
            rest if rest.starts_with(right) => Some(0),
            _ => None,
        }
    }

    /// Reads the right delimiter, and the white space that its trim marker removes.
    fn skip_right_delimiter(&mut self, marker: usize) {
        self.at += marker + self.delimiters.right.len();
        if marker > 0 {
            self.at += self.rest().iter().take_while(|&&byte| is_blank(byte)).count();
        }
    }

    fn inside_action(&mut self, parentheses: usize) -> Token<'t> {
        self.start = self.at;
        if let Some(marker) = self.right_delimiter() {
            if parentheses > 0 {
                return self.error("unclosed left paren".to_owned());
            }
            self.start += marker;
            self.at = self.start + self.delimiters.right.len();
            let token = self.token(Kind::RightDelimiter);
            self.at = token.position - marker;
            self.skip_right_delimiter(marker);
            self.state = State::Text;
            return token;
        }
        let Some(character) = self.next_char() else { return self.error("unclosed action".to_owned()) };
        match character {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.token(Kind::Assign),
            ':' => match self.next_char() {
                Some('=') => self.token(Kind::Declare),
                _ => self.error("expected :=".to_owned()),
            },
            '|' => self.token(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if !self.rest().first().is_none_or(u8::is_ascii_digit) => self.field_or_variable(Kind::Field),
            '.' | '+' | '-' | '0'..='9' => self.number(),
            '(' => {
                self.state = State::Action { parentheses: parentheses + 1 };
                self.token(Kind::LeftParenthesis)
            }
            ')' => match parentheses.checked_sub(1) {
                Some(parentheses) => {
                    self.state = State::Action { parentheses };
                    self.token(Kind::RightParenthesis)
                }
                None => self.error("unexpected right paren".to_owned()),
            },
            _ if is_alphanumeric(character) => self.identifier(),
            '!'..='~' => self.token(Kind::Character),
            _ => self.error(format!("unrecognized character in action: {}", code_point(character))),
        }
    }

    /// A run of spaces, without the last one if that belongs to a trim marker.
    fn space(&mut self) -> Token<'t> {
        self.at = self.start;
        while self.rest().first().is_some_and(|&byte| is_blank(byte)) && self.right_delimiter().is_none() {
            self.at += 1;
        }
        self.token(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'t> {
        self.skip_alphanumeric();
        if let Some(error) = self.check_terminator() {
            return error;
        }
        let word = self.input.get(self.start..self.at).unwrap_or_default();
        self.token(match (Keyword::named(word), word) {
            (Some(keyword), _) => Kind::Keyword(keyword),
            (None, b"true" | b"false") => Kind::Bool,
            (None, _) => Kind::Identifier,
        })
    }

    /// What follows a `.` or `$`, which has been read.
    fn field_or_variable(&mut self, kind: Kind) -> Token<'t> {
        if self.at_terminator() {
            return self.token(if kind == Kind::Field { Kind::Dot } else { kind });
        }
        self.skip_alphanumeric();
        match self.check_terminator() {
            Some(error) => error,
            None => self.token(kind),
        }
    }

    /// An error if what follows cannot be next to a word.
    fn check_terminator(&mut self) -> Option<Token<'t>> {
        if self.at_terminator() {
            return None;
        }
        let next = self.peek_char().map(code_point).unwrap_or_default();
        Some(self.error(format!("bad character {next}")))
    }

    fn at_terminator(&self) -> bool {
        match self.rest().first() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(_) => self.rest().starts_with(self.delimiters.right.as_bytes()),
        }
    }

    /// A string or character constant; its opening quote has been read.
    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Token<'t> {
        loop {
            match self.next_char() {
                Some(character) if character == quote => return self.token(kind),
                Some('\\') if !matches!(self.next_char(), None | Some('\n')) => {}
                None | Some('\n' | '\\') => return self.error(unterminated.to_owned()),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token<'t> {
        loop {
            match self.next_char() {
                Some('`') => return self.token(Kind::RawString),
                None => return self.error("unterminated raw quoted string".to_owned()),
                Some(_) => {}
            }
        }
    }

    /// A number; its first character has been read. Only finds its end: the parser checks whether it is well-formed.
    fn number(&mut self) -> Token<'t> {
        self.at = self.start;
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.rest().first(), Some(b'+' | b'-')) {
            if !self.scan_number() || self.input.get(self.at - 1) != Some(&b'i') {
                return self.bad_number();
            }
            return self.token(Kind::Complex);
        }
        self.token(Kind::Number)
    }

    fn bad_number(&mut self) -> Token<'t> {
        let text = self.input.get(self.start..self.at).unwrap_or_default();
        self.error(format!("bad number syntax: {}", quote::quoted(text)))
    }

    fn scan_number(&mut self) -> bool {
        self.accept(|byte| matches!(byte, b'+' | b'-'));
        let mut is_digit: fn(u8) -> bool = |byte| matches!(byte, b'0'..=b'9' | b'_');
        let mut exponent: &[u8] = b"eE";
        if self.accept(|byte| byte == b'0') {
            if self.accept(|byte| matches!(byte, b'x' | b'X')) {
                is_digit = |byte| byte.is_ascii_hexdigit() || byte == b'_';
                exponent = b"pP";
            } else if self.accept(|byte| matches!(byte, b'o' | b'O')) {
                is_digit = |byte| matches!(byte, b'0'..=b'7' | b'_');
                exponent = b"";
            } else if self.accept(|byte| matches!(byte, b'b' | b'B')) {
                is_digit = |byte| matches!(byte, b'0' | b'1' | b'_');
                exponent = b"";
            }
        }
        while self.accept(is_digit) {}
        if self.accept(|byte| byte == b'.') {
            while self.accept(is_digit) {}
        }
        if self.accept(|byte| exponent.contains(&byte)) {
            self.accept(|byte| matches!(byte, b'+' | b'-'));
            while self.accept(|byte| matches!(byte, b'0'..=b'9' | b'_')) {}
        }
        self.accept(|byte| byte == b'i');
        if self.peek_char().is_some_and(is_alphanumeric) {
            self.next_char();
            return false;
        }
        true
    }

    fn accept(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.rest().first().is_some_and(|&byte| wanted(byte));
        self.at += usize::from(found);
        found
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek_char().is_some_and(is_alphanumeric) {
            self.next_char();
        }
    }

    fn next_char(&mut self) -> Option<char> {
        let (character, len) = decode(self.rest())?;
        self.at += len;
        Some(character)
    }

    fn peek_char(&self) -> Option<char> {
        decode(self.rest()).map(|(character, _)| character)
    }

    fn rest(&self) -> &'t [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn token(&self, kind: Kind) -> Token<'t> {
        Token { kind, position: self.start, text: self.input.get(self.start..self.at).unwrap_or_default() }
    }

    fn error(&mut self, message: String) -> Token<'t> {
        self.state = State::Stopped;
        Token { kind: Kind::Error(message), position: self.start, text: b"" }
    }
}

/// The first character of `text` and its length. A byte that is not UTF-8 counts as U+FFFD.
pub(crate) fn decode(text: &[u8]) -> Option<(char, usize)> {
    let first = *text.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let start = text.get(..4.min(text.len()))?;
    let valid = start.utf8_chunks().next()?.valid();
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |character| (character, character.len_utf8())))
}

/// `U+0021 '!'`
fn code_point(character: char) -> String {
    let shown = if quote::is_printable(character) { format!(" '{character}'") } else { String::new() };
    format!("U+{:04X}{shown}", u32::from(character))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || go_regexp::is_letter(character) || go_regexp::is_digit(character)
}

const fn has_left_trim_marker(text: Option<&[u8]>) -> bool {
    matches!(text, Some([b'-', b' ' | b'\t' | b'\r' | b'\n', ..]))
}

fn trim_end(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
    text.get(..len).unwrap_or_default()
}
