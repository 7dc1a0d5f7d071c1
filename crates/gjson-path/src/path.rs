//! The steps of a path.
//!
//! A path is parsed one step at a time, when an object or array is entered, because its meaning depends on which of the
//! two it meets: `#(a.b=1)` is a query for an array, but for an object it is the key `#(a` followed by the key `b=1)`.

use std::borrow::Cow;

use super::modifiers::Modifier;
use super::query::Query;
use super::scan;

/// What follows a step.
#[derive(Clone, Copy)]
pub(super) enum Rest<'p> {
    /// Nothing: the step names the result.
    End,
    /// A dot: this path, inside of what the step names.
    Inside(&'p [u8]),
    /// A pipe: this path, on the whole result so far.
    Pipe(&'p [u8]),
}

/// A step into an object.
pub(super) struct ObjectStep<'p> {
    pub(super) key: Key<'p>,
    pub(super) rest: Rest<'p>,
}

/// The keys that a step names.
pub(super) enum Key<'p> {
    Exactly(Cow<'p, [u8]>),
    Matching(Cow<'p, [u8]>),
}

/// A step into an array.
pub(super) struct ArrayStep<'p> {
    pub(super) elements: Elements<'p>,
    pub(super) rest: Rest<'p>,
}

/// The elements that a step names.
pub(super) enum Elements<'p> {
    /// `2`
    Index(u64),
    /// `#`: their number.
    Count,
    /// `#.path`: what the path finds in each.
    Each(&'p [u8]),
    /// `#(...)`
    First(Query<'p>),
    /// `#(...)#`
    All(Query<'p>),
    /// Not a step for an array.
    None,
}

impl<'p> ObjectStep<'p> {
    pub(super) fn parse(path: &'p [u8]) -> Self {
        let mut name = Cow::Borrowed(&[] as &[u8]);
        let mut wild = false;
        let mut escaped = false;
        let mut i = 0;
        let rest = loop {
            let Some(&byte) = path.get(i) else { break Rest::End };
            i += 1;
            match byte {
                b'|' => break Rest::Pipe(tail(path, i)),
                b'.' => break after_dot(tail(path, i)),
                b'\\' => {
                    escaped = true;
                    name.to_mut().extend(path.get(i));
                    i += 1;
                    continue;
                }
                b'*' | b'?' => wild = true,
                _ => {}
            }
            if escaped {
                name.to_mut().push(byte);
            } else {
                name = Cow::Borrowed(path.get(..i).unwrap_or_default());
            }
        };
        Self { key: if wild { Key::Matching(name) } else { Key::Exactly(name) }, rest }
    }
}

impl<'p> ArrayStep<'p> {
    pub(super) fn parse(path: &'p [u8]) -> Self {
        match path {
            [b'#', b'.', each @ ..] => Self { elements: Elements::Each(each), rest: Rest::End },
            [b'#', b'(' | b'[', ..] => Self::parse_query(path),
            _ => Self::parse_plain(path),
        }
    }

    fn parse_query(path: &'p [u8]) -> Self {
        let Some((query, len)) = Query::parse(path) else {
            return Self { elements: Elements::First(Query::unfinished()), rest: Rest::End };
        };
        let all = path.get(len) == Some(&b'#');
        // Anything else before the next separator is ignored.
        let (_, rest) = split_step(tail(path, len));
        Self { elements: if all { Elements::All(query) } else { Elements::First(query) }, rest }
    }

    fn parse_plain(path: &'p [u8]) -> Self {
        let (name, rest) = split_step(path);
        let elements = match name {
            b"#" => Elements::Count,
            _ => index(name).map_or(Elements::None, Elements::Index),
        };
        let rest = match rest {
            Rest::Inside(inside) if !name.contains(&b'#') => after_dot(inside),
            rest => rest,
        };
        Self { elements, rest }
    }
}

/// Splits `path` at its first dot or pipe.
fn split_step(path: &[u8]) -> (&[u8], Rest<'_>) {
    let end = path.iter().position(|byte| matches!(byte, b'.' | b'|')).unwrap_or(path.len());
    let (name, separated) = path.split_at(end);
    let rest = match separated {
        [] => Rest::End,
        [b'.', rest @ ..] => Rest::Inside(rest),
        [_, rest @ ..] => Rest::Pipe(rest),
    };
    (name, rest)
}

/// A dot before a modifier or a multipath acts as a pipe.
fn after_dot(path: &[u8]) -> Rest<'_> {
    match path {
        [b'[' | b'{', ..] => Rest::Pipe(path),
        [b'@', name @ ..] if Modifier::named(modifier_name(name)).is_some() => Rest::Pipe(path),
        _ => Rest::Inside(path),
    }
}

/// The name at the start of `path`, which followed an `@`.
pub(super) fn modifier_name(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'.' | b'|' | b':')).unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

/// An index in decimal digits. As in Go, one that is too large wraps around.
fn index(name: &[u8]) -> Option<u64> {
    if name.is_empty() {
        return None;
    }
    name.iter().try_fold(0_u64, |index, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(index.wrapping_mul(10).wrapping_add(digit))
    })
}

fn tail(path: &[u8], from: usize) -> &[u8] {
    path.get(from..).unwrap_or_default()
}

/// Splits the `path` for each element of a list at the first pipe outside of queries, if any.
pub(super) fn split_pipe(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let pipe = if let [b'{', inside @ ..] = path {
        1 + scan::balanced_len(inside)
    } else {
        let mut i = 0;
        loop {
            match *path.get(i)? {
                b'|' => break i,
                b'\\' => i += 2,
                b'.' if path.get(i + 1) == Some(&b'#') => i = query_end(path, i + 2)?,
                _ => i += 1,
            }
        }
    };
    (*path.get(pipe)? == b'|').then(|| (path.get(..pipe).unwrap_or_default(), tail(path, pipe + 1)))
}

/// The position after the query that opens at `open`. If that is not a query, its text is skipped as in Go, including a
/// pipe.
fn query_end(path: &[u8], open: usize) -> Option<usize> {
    let (opening, closing) = match path.get(open)? {
        b'(' => (b'(', b')'),
        b'[' => (b'[', b']'),
        _ => return Some(open + 1),
    };
    let mut depth = 1_usize;
    let mut i = open + 1;
    while depth > 0 {
        let byte = *path.get(i)?;
        i += 1;
        match byte {
            b'\\' => i += 1,
            b'"' => i = scan::string_end(path, i)?,
            _ if byte == opening => depth += 1,
            _ if byte == closing => depth -= 1,
            _ => {}
        }
    }
    Some(i)
}
