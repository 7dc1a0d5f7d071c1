//! `rewrite`: one change of the keys of a set.

use std::collections::BTreeMap;

use super::keys::shortened;
use super::{DataError, SecretData, merge};
use crate::api::v1::external_secret::{Rewrite, RewriteRegexp, RewriteTransform};
use crate::budget::{Budget, SearchError};
use crate::re2::Regex;
use crate::template::{Allowance, Engine, Map, Text, Type, Value};

/// Performs one ExternalSecret's rewrites. Its templates share an allowance; everything else is charged to its budget.
pub(super) struct Transformer<'a> {
    engine: &'a Engine,
    allowance: Allowance,
    budget: &'a Budget,
}

impl<'a> Transformer<'a> {
    pub(super) const fn new(engine: &'a Engine, budget: &'a Budget) -> Self {
        Self { engine, allowance: Allowance::new(), budget }
    }

    pub(super) const fn budget(&self) -> &'a Budget {
        self.budget
    }
}

pub(super) fn apply(
    field: &str,
    rewrite: &Rewrite,
    set: SecretData,
    transformer: &mut Transformer<'_>,
) -> Result<SecretData, DataError> {
    match (&rewrite.merge, &rewrite.regexp, &rewrite.transform) {
        (Some(merge), _, _) => merge::apply(&format!("{field}.merge"), merge, set, transformer.budget),
        (None, Some(regexp), _) => by_regexp(field, regexp, set, transformer.budget),
        (None, None, Some(transform)) => by_template(field, transform, set, transformer),
        (None, None, None) => Ok(set),
    }
}

/// Replaces the matches in each key.
fn by_regexp(field: &str, rewrite: &RewriteRegexp, set: SecretData, budget: &Budget) -> Result<SecretData, DataError> {
    let source = format!("{field}.regexp.source");
    let regex = Regex::new(&rewrite.source).map_err(|error| DataError::Regexp { field: source.clone(), error })?;
    let mut renamed = SecretData::new();
    for (key, value) in set {
        let replaced =
            budget.search(|allowance| regex.replace_all(key.as_bytes(), rewrite.target.as_bytes(), allowance));
        let replaced = replaced.map_err(|error| match error {
            SearchError::Exceeded(error) => DataError::budget(&source, error),
            SearchError::Search(error) => {
                DataError::RegexpExceeded { field: source.clone(), key: shortened(&key), error }
            }
        })?;
        budget.values(replaced.len()).map_err(|error| DataError::budget(&source, error))?;
        if replaced.is_empty()
            && !key.is_empty()
            && let Some(unknown) = regex.unknown_groups(&rewrite.target).into_iter().next()
        {
            let field = format!("{field}.regexp.target");
            return Err(DataError::EmptyKey { field, key: shortened(&key), name: unknown.name, meant: unknown.meant });
        }
        // Matches begin and end between characters.
        renamed.insert(String::from_utf8_lossy(&replaced).into_owned(), value);
    }
    Ok(renamed)
}

/// Renders a template for each key.
fn by_template(
    field: &str,
    transform: &RewriteTransform,
    set: SecretData,
    transformer: &mut Transformer<'_>,
) -> Result<SecretData, DataError> {
    let field = format!("{field}.transform.template");
    let template = transformer
        .engine
        .parse_within("transform", transform.template.as_bytes(), &mut transformer.allowance)
        .map_err(|error| DataError::Template { field: field.clone(), error })?;
    let mut renamed = SecretData::new();
    for (key, value) in set {
        let entry = (Text::from("value"), Value::string(&key));
        let data = Value::Map(Map::from_entries(&Type::String, BTreeMap::from([entry])));
        let rendered = match template.render_within(&data, &mut transformer.allowance) {
            Ok(rendered) => rendered,
            Err(error) => return Err(DataError::Rendering { field, key: shortened(&key), error }),
        };
        let Ok(name) = std::str::from_utf8(&rendered) else {
            return Err(DataError::KeyNotText { field, key: shortened(&key) });
        };
        renamed.insert(name.to_owned(), value);
    }
    Ok(renamed)
}
