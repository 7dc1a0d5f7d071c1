//! Exit codes besides success (0) and failure (1).

/// Something would change: of `plan`, `lint --fix --dry-run` and `migrate`, where they only look.
pub(in crate::cli) const CHANGES: u8 = 2;
