//! The tokens of a template.

use std::fmt;

use crate::format::quote;

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// Its byte offset.
    pub(super) position: usize,
    pub(super) text: &'t [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The template cannot be tokenized here, and why.
    Error(String),
    /// The template's end.
    End,
    /// Text outside of actions.
    Text,
    LeftDelimiter,
    RightDelimiter,
    LeftParenthesis,
    RightParenthesis,
    /// Spaces that separate arguments.
    Space,
    /// `|`
    Pipe,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    /// A comma, or any other character without a meaning.
    Character,
    /// `true`, `false`
    Bool,
    /// `'x'`, including its quotes.
    CharConstant,
    /// `1`, `0x1F`, `1e3`, `2i`
    Number,
    /// `1+2i`
    Complex,
    /// `"x"`, including its quotes.
    String,
    /// A string between back quotes, including them.
    RawString,
    /// `.`
    Dot,
    /// `.name`
    Field,
    /// The name of a function.
    Identifier,
    /// `$` or `$name`
    Variable,
    Keyword(Keyword),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Keyword {
    pub(super) const fn named(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// As error messages show it, without the content of strings, because a template may itself come from a Secret.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        match &self.kind {
            Kind::Error(message) => f.write_str(message),
            Kind::End => f.write_str("EOF"),
            Kind::String | Kind::RawString | Kind::CharConstant => f.write_str("string"),
            Kind::Keyword(_) | Kind::Dot => write!(f, "<{}>", String::from_utf8_lossy(self.text)),
            _ => {
                let text = String::from_utf8_lossy(self.text);
                let shown: String = text.chars().take(SHOWN).collect();
                let more = if self.text.len() > SHOWN { "..." } else { "" };
                write!(f, "{}{more}", quote::quoted(shown.as_bytes()))
            }
        }
    }
}
