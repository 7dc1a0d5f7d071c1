//! Evaluates a path on a document.

use super::budget::{Budget, TooComplex};
use super::bytes::Bytes;
use super::modifiers::Call;
use super::multipath::Multipath;
use super::scan;
use super::search::search;
use super::value::Value;

/// The value that `path` finds in `document`.
pub(super) fn get<'d>(document: &'d [u8], path: &[u8], budget: &mut Budget) -> Result<Option<Value<'d>>, TooComplex> {
    budget.descend()?;
    let mut document = Bytes::Borrowed(document);
    let mut path = path;
    let value = loop {
        let stage = match &document {
            Bytes::Borrowed(document) => stage(document, path, budget)?,
            Bytes::Owned(document) => stage(document, path, budget)?.into_owned(),
        };
        match stage {
            Stage::Found(value) => break value,
            Stage::Next(next, rest) => (document, path) = (next, rest),
        }
    };
    budget.ascend();
    Ok(value)
}

/// The result of one stage of a path.
pub(super) enum Stage<'d, 'p> {
    /// The result of the whole path.
    Found(Option<Value<'d>>),
    /// The document for the rest of the path.
    Next(Bytes<'d>, &'p [u8]),
}

impl<'d, 'p> Stage<'d, 'p> {
    fn into_owned(self) -> Stage<'static, 'p> {
        match self {
            Self::Found(value) => Stage::Found(value.map(Value::into_owned)),
            Self::Next(document, rest) => Stage::Next(document.into_owned(), rest),
        }
    }

    /// A new document, and the rest of the path that produced it.
    fn after(document: Bytes<'d>, rest: &'p [u8]) -> Self {
        match rest {
            [b'.' | b'|', rest @ ..] => Stage::Next(document, rest),
            // Anything else after a modifier is ignored.
            _ => Stage::Found(match document {
                Bytes::Borrowed(document) => Value::parse(document),
                Bytes::Owned(document) => Value::parse(&document).map(Value::into_owned),
            }),
        }
    }
}

/// One stage: a modifier, a literal, a multipath, or a search by keys and indexes.
fn stage<'d, 'p>(document: &'d [u8], path: &'p [u8], budget: &mut Budget) -> Result<Stage<'d, 'p>, TooComplex> {
    budget.read(document.len())?;
    budget.read(path.len())?;
    if path.len() > 1 {
        if let Some((call, rest)) = Call::parse(path) {
            return Ok(Stage::after(call.apply(document, budget)?, rest));
        }
        if let Some((literal, rest)) = literal(path) {
            return Ok(Stage::after(Bytes::Owned(literal.to_vec().into()), rest));
        }
    }
    if !Multipath::starts(path) {
        return search(document, path, budget);
    }
    match Multipath::parse(path) {
        Some((multipath, rest @ ([] | [b'.' | b'|', ..]))) => {
            Ok(Stage::after(multipath.build(document, budget)?, rest))
        }
        // As in Go, what comes before is dropped.
        Some((_, rest)) => search(document, rest, budget),
        None => search(document, b"", budget),
    }
}

/// Reads a literal, `!"text"` or `!true`, at the start of `path`. Returns it and the rest.
fn literal(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = path.strip_prefix(b"!")?;
    let len = if matches!(text.first()?, b'{' | b'[' | b'"' | b'+' | b'-' | b'0'..=b'9') {
        scan::bracket_end(text, 0).min(text.len())
    } else {
        let len = text.iter().position(|byte| matches!(byte, b'.' | b'|')).unwrap_or(text.len());
        let name = text.get(..len)?.to_ascii_lowercase();
        matches!(name.as_slice(), b"true" | b"false" | b"null" | b"nan" | b"inf").then_some(len)?
    };
    Some(text.split_at(len))
}
