//! Checks of the small languages in manifests: regular expressions and templates.

use std::sync::LazyLock;

use super::Problem;
use crate::api::object_name::{LONGEST, is_object_name};
use crate::budget::{PATTERN, PATTERNS};
use crate::re2::{ErrorKind, Pattern};
use crate::template::{Engine, funcs};

/// Parses templates, but never renders any.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(funcs::all()));

/// Checks the regular expressions of a manifest, which share a limit. None is compiled: parsing reveals the size.
#[derive(Default)]
pub(super) struct Patterns {
    states: usize,
    problems: Vec<Problem>,
}

impl Patterns {
    /// Nobody reads more, and an object with this many has thousands.
    const MOST_PROBLEMS: usize = 10;

    /// Checks an expression in Go's syntax; `None` if it is invalid or exceeds the shared limit.
    pub(super) fn check(&mut self, field: impl FnOnce() -> String, expression: &str) -> Option<Pattern> {
        if self.states > PATTERNS || self.problems.len() >= Self::MOST_PROBLEMS {
            return None;
        }
        let problem = match Pattern::parse(expression) {
            Ok(pattern) => {
                self.states = self.states.saturating_add(PATTERN).saturating_add(pattern.size());
                if self.states <= PATTERNS {
                    return Some(pattern);
                }
                format!(
                    "this and the regular expressions before it have more than the {PATTERNS} states allowed in one manifest; repeat less in them, or split it into several manifests"
                )
            }
            Err(error) if error.kind() == ErrorKind::TooLarge => format!(
                "{:?} is too large for a regular expression: one has {} states, and {} states times groups at most; repeat less in it, or leave out groups",
                shortened(expression),
                Pattern::MAX_SIZE,
                Pattern::MAX_SIZE_TIMES_GROUPS
            ),
            Err(error) => format!("{:?} is not a regular expression: {error}", shortened(expression)),
        };
        self.problems.push(Problem::new(field(), problem));
        None
    }

    /// What is wrong with them.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// A text, truncated to what a message can hold.
fn shortened(text: &str) -> &str {
    const LONGEST: usize = 200;
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

/// What is wrong with the length of a list, if anything.
pub(super) fn count(field: impl FnOnce() -> String, items: usize, most: usize) -> Option<Problem> {
    (items > most).then(|| {
        let problem = format!("has {items} items, more than the {most} allowed; split it into several objects");
        Problem::new(field(), problem)
    })
}

/// What is wrong with the name of a Kubernetes object, if anything. An empty one counts as absent.
pub(super) fn object_name(field: impl Into<String>, name: &str) -> Option<Problem> {
    let problem = || {
        let shown: String = name.chars().take(LONGEST).collect();
        format!("{shown:?} is not a name of an object: write lower case letters, digits, '-' and '.'")
    };
    (!name.is_empty() && !is_object_name(name)).then(|| Problem::new(field, problem()))
}

/// What is wrong with a template.
pub(super) enum TemplateFault {
    /// It can never be rendered.
    Malformed(Problem),
    /// It uses a function that is unknown here but that ESO may know.
    UnknownFunction(Problem),
}

/// What is wrong with a template, if anything.
pub(super) fn template(field: &str, text: &str) -> Option<TemplateFault> {
    let error = ENGINE.parse("template", text.as_bytes()).err()?;
    let details = error.details();
    let place = format!("line {}, column {}", details.line, details.column + 1);
    let problem = Problem::new(field, format!("the template cannot be parsed, {place}: {}", details.message));
    let is_unknown = details.message.starts_with("function ") && details.message.ends_with(" not defined");
    Some(if is_unknown { TemplateFault::UnknownFunction(problem) } else { TemplateFault::Malformed(problem) })
}
