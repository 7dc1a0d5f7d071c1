//! Fixes that change the text alone.

use super::problem::Problem;
use crate::cli::source::edit;

/// The text of a file with the fixes of its problems; nothing where none has one.
pub(super) fn fixed(text: &str, index: usize, problems: &[Problem]) -> Option<String> {
    let edits: Vec<_> =
        problems.iter().filter(|problem| problem.file == index).flat_map(|problem| problem.edits.clone()).collect();
    if edits.is_empty() {
        return None;
    }
    Some(edit::apply(text, edits)).filter(|fixed| fixed != text)
}
