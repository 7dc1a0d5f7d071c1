//! As commands of a GitHub workflow, which shows them beside the lines of a pull request.
//! See "Workflow commands for GitHub Actions" in GitHub's documentation.

use std::fmt::Write as _;

use crate::cli::lint::problem::{Level, Problem};

/// A command each.
pub(in crate::cli::lint) fn lines(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let command = match problem.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let _ = writeln!(
            text,
            "::{command} file={},line={},col={},title={}::{}",
            property(&problem.path),
            problem.mark.line,
            problem.mark.column,
            property(&problem.id.name()),
            data(&problem.sentence()),
        );
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_command_or_a_property_is_escaped() {
        assert_eq!((property("a,b:c%\n"), data("a,b:c%\r\n")), ("a%2Cb%3Ac%25%0A".into(), "a,b:c%25%0D%0A".into()));
    }
}
