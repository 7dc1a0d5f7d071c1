//! What is wrong with a pattern, or with its use.

/// Why a pattern was rejected. As in Go, `Display` shows the invalid part of the pattern. Use only [`Error::kind`] if
/// the pattern may contain a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: `{fragment}`")]
pub struct Error {
    kind: ErrorKind,
    fragment: String,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, fragment: &str) -> Self {
        // A longer one would not fit into a status.
        const MAX_LEN: usize = 200;
        let fragment = fragment.get(..fragment.floor_char_boundary(MAX_LEN)).unwrap_or(fragment).to_owned();
        Self { kind, fragment }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// What can be wrong with a pattern, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// A range whose end precedes its start, or an unknown class.
    #[error("invalid character class range")]
    InvalidRange,
    /// A backslash followed by something without a meaning.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// A group name that is not closed, or has other characters than letters, digits and underscores.
    #[error("invalid named capture")]
    InvalidName,
    /// `(?` followed by something without a meaning, such as a look-ahead.
    #[error("invalid or unsupported Perl syntax")]
    InvalidPerlSyntax,
    /// Two repetitions in a row, such as `a**`.
    #[error("invalid nested repetition operator")]
    NestedRepeat,
    /// More than 1000 repetitions, counting nested ones, or a maximum below the minimum.
    #[error("invalid repeat count")]
    InvalidRepeat,
    /// A class that is not closed.
    #[error("missing closing ]")]
    MissingBracket,
    /// A group that is not closed.
    #[error("missing closing )")]
    MissingParenthesis,
    /// A repetition of nothing.
    #[error("missing argument to repetition operator")]
    MissingArgument,
    /// A backslash at the end.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// The end of a group that was not opened.
    #[error("unexpected )")]
    UnexpectedParenthesis,
    /// Groups and repetitions are nested too deeply.
    #[error("expression nests too deeply")]
    TooDeep,
    /// It would take too much memory.
    #[error("expression too large")]
    TooLarge,
}

/// A search exceeds its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Time: more than the [`Allowance`](crate::Allowance) has left.
    #[error("the regular expression takes too long on a text of this length")]
    Work,
    /// Memory.
    #[error("replacing makes more than {0} bytes")]
    Output(usize),
}
