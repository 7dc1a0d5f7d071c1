//! For people: a line each, as compilers print them, so that editors find the place.

use std::fmt::Write as _;

use super::count::count;
use crate::cli::lint::problem::{Level, Problem};
use crate::sync::one_line::on_one_line;

/// The problems, and what they sum up to; `said` follows, about fixes.
pub(in crate::cli::lint) fn lines(problems: &[Problem], said: &str) -> String {
    let mut text = String::new();
    for problem in problems {
        let how = if problem.edits.is_empty() { "" } else { " (--fix)" };
        let line = format!(
            "{}:{}:{}: {}[{}]: {}{how}",
            problem.path,
            problem.mark.line,
            problem.mark.column,
            problem.level.name(),
            problem.id.name(),
            problem.sentence(),
        );
        let _ = writeln!(text, "{}", on_one_line(&line));
    }
    let number = |level, name: &str| match count(problems, level) {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    };
    let _ = writeln!(
        text,
        "{}, {}, {}{said}",
        number(Level::Error, "error"),
        number(Level::Warning, "warning"),
        number(Level::Note, "note")
    );
    text
}
