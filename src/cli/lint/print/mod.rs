//! How problems are printed.

mod count;
mod github;
mod sarif;
mod text;

use serde_json::{Value, json};

use super::problem::{Level, Problem};
use count::count;

pub(super) use github::lines as github;
pub(super) use sarif::document as sarif;
pub(super) use text::lines as text;

/// For programs.
pub(super) fn document(problems: &[Problem], fixed: usize) -> Value {
    json!({
        "version": 1,
        "problems": problems.iter().map(Problem::document).collect::<Vec<_>>(),
        "summary": {
            "errors": count(problems, Level::Error),
            "warnings": count(problems, Level::Warning),
            "notes": count(problems, Level::Note),
            "fixed": fixed,
        },
    })
}
