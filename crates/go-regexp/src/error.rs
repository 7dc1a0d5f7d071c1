//! What is wrong with a pattern, or with what it is used for.

/// Why a pattern was refused. `Display` shows the part of the pattern that is wrong, as Go does; use
/// [`Error::kind`] alone where the pattern may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: `{fragment}`")]
pub struct Error {
    kind: ErrorKind,
    fragment: String,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, fragment: &str) -> Self {
        // A status could not hold a longer one.
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
    /// A range whose end comes before its start, or a class that is not known.
    #[error("invalid character class range")]
    InvalidRange,
    /// A backslash with what has no meaning.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// A group's name that is not of letters, digits and underscores, or does not end.
    #[error("invalid named capture")]
    InvalidName,
    /// `(?` with what has no meaning, such as a look-ahead.
    #[error("invalid or unsupported Perl syntax")]
    InvalidPerlSyntax,
    /// Two repetitions in a row, such as `a**`.
    #[error("invalid nested repetition operator")]
    NestedRepeat,
    /// More than 1000 repetitions, also by those that are nested, or fewer at most than at least.
    #[error("invalid repeat count")]
    InvalidRepeat,
    /// A class that does not end.
    #[error("missing closing ]")]
    MissingBracket,
    /// A group that does not end.
    #[error("missing closing )")]
    MissingParenthesis,
    /// A repetition of nothing.
    #[error("missing argument to repetition operator")]
    MissingArgument,
    /// A backslash at the end.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// A group ends that did not begin.
    #[error("unexpected )")]
    UnexpectedParenthesis,
    /// Groups and repetitions are nested too deeply.
    #[error("expression nests too deeply")]
    TooDeep,
    /// It would take too much memory.
    #[error("expression too large")]
    TooLarge,
}

/// A search would take too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Time: more than the [`Allowance`](crate::Allowance) has left.
    #[error("the regular expression takes too long on a text of this length")]
    Work,
    /// Memory.
    #[error("replacing makes more than {0} bytes")]
    Output(usize),
}
