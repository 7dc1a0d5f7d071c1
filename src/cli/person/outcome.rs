//! The result of checking one thing.

/// The result of checking one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Outcome {
    Ok,
    Warning,
    Failed,
    /// It could not be checked, for example for lack of a right.
    Skipped,
    /// The controller did not get this far.
    NotReached,
}

impl Outcome {
    /// For programs to read.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotReached => "notReached",
        }
    }

    /// For people to read, at most four characters.
    pub(in crate::cli) const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warn",
            Self::Failed => "FAIL",
            Self::Skipped => "skip",
            Self::NotReached => "-",
        }
    }
}
