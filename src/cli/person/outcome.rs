//! What comes of looking at one thing.

/// Whether all is well with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Outcome {
    Ok,
    Warning,
    Failed,
    /// It could not be looked at, as for want of a right.
    Skipped,
    /// The controller did not come to it.
    NotReached,
}

impl Outcome {
    /// For programs.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotReached => "notReached",
        }
    }

    /// For people, at most four characters.
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
