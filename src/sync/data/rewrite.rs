//! `rewrite`: one change of the keys of a set.

use std::collections::BTreeMap;

use super::{DataError, SecretData, merge};
use crate::api::v1::external_secret::{Rewrite, RewriteRegexp, RewriteTransform};
use crate::re2::Regex;
use crate::template::{Allowance, Engine, Map, Text, Type, Value};

/// What renders the templates of one ExternalSecret's transforms, which share an allowance.
pub(super) struct Transformer<'a> {
    engine: &'a Engine,
    allowance: Allowance,
}

impl<'a> Transformer<'a> {
    pub(super) const fn new(engine: &'a Engine) -> Self {
        Self { engine, allowance: Allowance::new() }
    }
}

pub(super) fn apply(
    field: &str,
    rewrite: &Rewrite,
    set: SecretData,
    transformer: &mut Transformer<'_>,
) -> Result<SecretData, DataError> {
    match (&rewrite.merge, &rewrite.regexp, &rewrite.transform) {
        (Some(merge), _, _) => merge::apply(&format!("{field}.merge"), merge, set),
        (None, Some(regexp), _) => by_regexp(field, regexp, set),
        (None, None, Some(transform)) => by_template(field, transform, set, transformer),
        (None, None, None) => Ok(set),
    }
}

/// Replaces what matches in each key.
fn by_regexp(field: &str, rewrite: &RewriteRegexp, set: SecretData) -> Result<SecretData, DataError> {
    let field = format!("{field}.regexp.source");
    let regex = Regex::new(&rewrite.source).map_err(|error| DataError::Regexp { field: field.clone(), error })?;
    set.into_iter()
        .map(|(key, value)| {
            let replaced = regex
                .replace_all(key.as_bytes(), rewrite.target.as_bytes())
                .map_err(|error| DataError::RegexpExceeded { field: field.clone(), key, error })?;
            // Matches begin and end between characters.
            Ok((String::from_utf8_lossy(&replaced).into_owned(), value))
        })
        .collect()
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
        .parse("transform", transform.template.as_bytes())
        .map_err(|error| DataError::Template { field: field.clone(), error })?;
    let mut renamed = SecretData::new();
    for (key, value) in set {
        let entry = (Text::from("value"), Value::string(&key));
        let data = Value::Map(Map::from_entries(&Type::String, BTreeMap::from([entry])));
        let rendered = match template.render_within(&data, &mut transformer.allowance) {
            Ok(rendered) => rendered,
            Err(error) => return Err(DataError::Rendering { field, key, error }),
        };
        let Ok(name) = std::str::from_utf8(&rendered) else {
            return Err(DataError::KeyNotText { field, key });
        };
        renamed.insert(name.to_owned(), value);
    }
    Ok(renamed)
}
