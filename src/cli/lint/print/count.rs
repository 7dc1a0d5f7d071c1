//! What problems sum up to.

use crate::cli::lint::problem::{Level, Problem};

/// How many are of a level.
pub(super) fn count(problems: &[Problem], level: Level) -> usize {
    problems.iter().filter(|problem| problem.level == level).count()
}
