//! Converts keys, and derives the names of objects from them.

use std::collections::BTreeMap;

use crate::api::v1alpha1::push_secret::PushSecretRewrite;
use crate::budget::{Budget, SearchError};
use crate::re2::Regex;
use crate::sync::SecretData;
use crate::template::{Allowance, Engine, Map, Text, Type, Value};

/// The most characters of a name in a message.
const SHOWN: usize = 130;

/// A name for a message, truncated if it is too long.
pub(super) fn shown(name: &str) -> String {
    name[..name.floor_char_boundary(SHOWN)].to_owned()
}

/// The values of a Secret by their keys after the conversion `ReverseUnicode`.
///
/// # Errors
/// The key that two keys are converted to.
pub(super) fn reversed(data: &SecretData) -> Result<SecretData, String> {
    let mut converted = SecretData::new();
    for (key, value) in data {
        let name = reverse_unicode(key);
        if converted.insert(name.clone(), value.clone()).is_some() {
            return Err(shown(&name));
        }
    }
    Ok(converted)
}

/// Replaces `_U002f_` and the like by the characters that they stand for.
fn reverse_unicode(key: &str) -> String {
    let (mut name, mut rest) = (String::with_capacity(key.len()), key);
    while let Some(at) = rest.find("_U") {
        name.push_str(&rest[..at]);
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        // Five digits take precedence over four, as in Go's expression.
        let code = [5, 4].into_iter().find(|count| digits >= *count && rest[at + 2 + count..].starts_with('_'));
        let character = code
            .and_then(|count| u32::from_str_radix(&rest[at + 2..at + 2 + count], 16).ok().map(|code| (count, code)));
        if let Some((count, code)) = character {
            name.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = &rest[at + 3 + count..];
        } else {
            name.push_str("_U");
            rest = &rest[at + 2..];
        }
    }
    name.push_str(rest);
    name
}

/// Why a name cannot be derived.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    #[error("{field}: {problem}")]
    Field { field: String, problem: String },
}

fn error(field: &str, problem: impl std::fmt::Display) -> NameError {
    NameError::Field { field: field.to_owned(), problem: problem.to_string() }
}

/// A regular expression of the spec.
pub(super) fn regex(field: &str, expression: &str) -> Result<Regex, NameError> {
    Regex::new(expression).map_err(|problem| error(field, problem))
}

/// Whether an expression matches anywhere in a key.
pub(super) fn finds(field: &str, regex: &Regex, key: &str, budget: &Budget) -> Result<bool, NameError> {
    budget.search(|allowance| regex.is_match(key.as_bytes(), allowance)).map_err(|problem| match problem {
        SearchError::Exceeded(problem) => error(field, problem),
        SearchError::Search(problem) => error(field, problem),
    })
}

/// Derives names of objects from keys, by the rewrites of one entry in order.
pub(super) struct Rewriter<'a> {
    steps: Vec<(String, Step<'a>)>,
}

/// One rewrite.
enum Step<'a> {
    Regexp { source: Regex, target: &'a str },
    Transform(&'a str),
}

impl<'a> Rewriter<'a> {
    /// Compiles the rewrites of the entry at `field`.
    pub(super) fn new(field: &str, rewrites: &'a [PushSecretRewrite]) -> Result<Self, NameError> {
        let mut steps = Vec::new();
        for (index, rewrite) in rewrites.iter().enumerate() {
            let field = format!("{field}.rewrite[{index}]");
            if let Some(rewrite) = &rewrite.regexp {
                let field = format!("{field}.regexp.source");
                let source = regex(&field, &rewrite.source)?;
                steps.push((field, Step::Regexp { source, target: &rewrite.target }));
            } else if let Some(transform) = &rewrite.transform {
                steps.push((format!("{field}.transform.template"), Step::Transform(&transform.template)));
            }
        }
        Ok(Self { steps })
    }

    /// The name for a key.
    pub(super) fn name(
        &self,
        key: &str,
        engine: &Engine,
        budget: &Budget,
        allowance: &mut Allowance,
    ) -> Result<String, NameError> {
        let mut name = key.to_owned();
        for (field, step) in &self.steps {
            name = match step {
                Step::Regexp { source, target } => {
                    let replaced = budget
                        .search(|allowance| source.replace_all(name.as_bytes(), target.as_bytes(), allowance))
                        .map_err(|problem| match problem {
                            SearchError::Exceeded(problem) => error(field, problem),
                            SearchError::Search(problem) => error(field, problem),
                        })?;
                    String::from_utf8_lossy(&replaced).into_owned()
                }
                Step::Transform(template) => transformed(field, template, &name, engine, allowance)?,
            };
        }
        Ok(name)
    }
}

fn transformed(
    field: &str,
    template: &str,
    name: &str,
    engine: &Engine,
    allowance: &mut Allowance,
) -> Result<String, NameError> {
    let template =
        engine.parse_within("transform", template.as_bytes(), allowance).map_err(|problem| error(field, problem))?;
    let entry = (Text::from("value"), Value::string(name));
    let dot = Value::Map(Map::from_entries(&Type::String, BTreeMap::from([entry])));
    let made = template.render_within(&dot, allowance).map_err(|problem| error(field, problem))?;
    let made = std::str::from_utf8(&made).map_err(|_| error(field, "the template makes a name that is not UTF-8"))?;
    Ok(made.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a_U002f_b", "a/b")]
    #[case("_U1F600_", "\u{1f600}")]
    #[case("_U002g_", "_U002g_")]
    #[case("_U_U002f_", "_U/")]
    #[case("_U002f", "_U002f")]
    #[case("_Ud800_", "\u{fffd}")]
    fn reverse_unicode_puts_characters_back(#[case] key: &str, #[case] name: &str) {
        assert_eq!(reverse_unicode(key), name);
    }
}
