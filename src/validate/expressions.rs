//! Checks of the small languages in manifests: regular expressions and templates.

use std::sync::LazyLock;

use super::Problem;
use crate::api::object_name::{LONGEST, is_object_name};
use crate::re2::Regex;
use crate::template::{Engine, funcs};

/// Parses templates; none is ever rendered here.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(funcs::all()));

/// What is wrong with a regular expression in Go's syntax, if anything.
pub(super) fn regular_expression(field: impl Into<String>, expression: &str) -> Option<Problem> {
    let error = Regex::new(expression).err()?;
    Some(Problem::new(field, format!("{expression:?} is no regular expression: {error}")))
}

/// What is wrong with the name of an object of the cluster, if anything; an empty one is none.
pub(super) fn object_name(field: impl Into<String>, name: &str) -> Option<Problem> {
    let problem = || {
        let shown: String = name.chars().take(LONGEST).collect();
        format!("{shown:?} is no name of an object: write lower case letters, digits, '-' and '.'")
    };
    (!name.is_empty() && !is_object_name(name)).then(|| Problem::new(field, problem()))
}

/// What is wrong with a template, if anything.
pub(super) enum TemplateFault {
    /// It can never be rendered.
    Malformed(Problem),
    /// It uses a function that is not known here. ESO may know it.
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
