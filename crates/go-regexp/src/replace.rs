//! Replacement of matches.

use std::ops::Range;

use regex::CaptureLocations;
use zeroize::{Zeroize, Zeroizing};

use super::matches::Matches;
use super::text::Text;
use super::{Allowance, Exceeded, Regex, is_digit, is_letter};

/// What replaces a match.
pub(super) struct Template<'t> {
    parts: Vec<Part<'t>>,
}

enum Part<'t> {
    Text(&'t [u8]),
    /// A group by number; 0 is the whole match.
    Number(usize),
    Name(&'t str),
}

impl<'t> Template<'t> {
    /// A literal text.
    pub(super) fn literal(text: &'t [u8]) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }

    /// A text with `$name` and so on, under Go's rules.
    pub(super) fn parse(mut rest: &'t [u8]) -> Self {
        let mut parts = Vec::new();
        while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
            let (text, after) = rest.split_at(dollar);
            parts.push(Part::Text(text));
            let after = after.get(1..).unwrap_or_default();
            (rest, parts) = if let Some(after) = after.strip_prefix(b"$") {
                parts.push(Part::Text(b"$"));
                (after, parts)
            } else if let Some((name, after)) = reference(after) {
                parts.push(number(name).map_or(Part::Name(name), Part::Number));
                (after, parts)
            } else {
                parts.push(Part::Text(b"$"));
                (after, parts)
            };
        }
        parts.push(Part::Text(rest));
        Self { parts }
    }

    /// The groups that it names but `names` does not contain.
    pub(super) fn unknown(&self, names: &[Option<String>]) -> Vec<UnknownGroup> {
        let unknown = |part: &Part<'t>| {
            let name = match part {
                Part::Number(number) if *number >= names.len() => number.to_string(),
                Part::Name(name) if !names.iter().flatten().any(|known| known == name) => (*name).to_owned(),
                _ => return None,
            };
            Some(UnknownGroup { meant: meant(&name, names), name })
        };
        self.parts.iter().filter_map(unknown).collect()
    }

    fn has_references(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }
}

/// Parses the name after a dollar sign, with or without braces. Returns it and the rest.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let (braced, text) = text.strip_prefix(b"{").map_or((false, text), |inner| (true, inner));
    let readable = text.utf8_chunks().next()?.valid();
    let end = readable.find(|c: char| !is_letter(c) && !is_digit(c) && c != '_').unwrap_or(readable.len());
    let (name, after) = (readable.get(..end)?, text.get(end..)?);
    let after = if braced { after.strip_prefix(b"}")? } else { after };
    (!name.is_empty()).then_some((name, after))
}

/// The number that a name stands for, unless it has leading zeros or is very large.
fn number(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if plain && name.len() <= 9 { name.parse().ok() } else { None }
}

/// A group that a replacement names but the pattern does not have. It is replaced by nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownGroup {
    /// Its name, such as `1_NAME` of `$1_NAME`.
    pub name: String,
    /// What was probably meant, if the name begins with that of a group: `${1}_NAME`.
    pub meant: Option<String>,
}

fn meant(name: &str, names: &[Option<String>]) -> Option<String> {
    let is_group = |begin: &str| {
        number(begin).is_some_and(|number| number < names.len()) || names.iter().flatten().any(|known| known == begin)
    };
    let splits = name.char_indices().rev().map(|(at, _)| name.split_at(at));
    let (group, rest) = splits.into_iter().find(|(begin, _)| is_group(begin))?;
    Some(format!("${{{group}}}{rest}"))
}

pub(super) fn replace_all(
    regex: &Regex,
    original: &[u8],
    template: &Template<'_>,
    allowance: &mut Allowance,
) -> Result<Zeroizing<Vec<u8>>, Exceeded> {
    let text = Text::new(original);
    let has_references = template.has_references();
    let mut matches = if has_references { Matches::with_groups(regex, &text) } else { Matches::new(regex, &text) };
    let mut output = Output::new(original.len(), allowance.output());
    let mut copied = 0;
    while let Some(found) = matches.next(allowance)? {
        let found = text.original(found);
        output.push(bytes(original, copied..found.start))?;
        copied = found.end;
        for part in &template.parts {
            let group = match part {
                Part::Text(literal) => {
                    output.push(literal)?;
                    continue;
                }
                Part::Number(number) => matches.locations().get(*number),
                Part::Name(name) => named(regex, name, matches.locations()),
            };
            if let Some((start, end)) = group {
                output.push(bytes(original, text.original(start..end)))?;
            }
        }
    }
    output.push(bytes(original, copied..original.len()))?;
    Ok(output.bytes)
}

/// The first group with that name that took part in the match.
fn named(regex: &Regex, name: &str, locations: &CaptureLocations) -> Option<(usize, usize)> {
    let mut numbers = regex.names.iter().enumerate().filter(|(_, known)| known.as_deref() == Some(name));
    numbers.find_map(|(number, _)| locations.get(number))
}

fn bytes(text: &[u8], range: Range<usize>) -> &[u8] {
    text.get(range).unwrap_or_default()
}

/// A result that is being written. Leaves no copy behind when it grows.
struct Output {
    bytes: Zeroizing<Vec<u8>>,
    most: usize,
}

impl Output {
    fn new(capacity: usize, most: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(capacity.min(most))), most }
    }

    fn push(&mut self, more: &[u8]) -> Result<(), Exceeded> {
        let needed = self.bytes.len() + more.len();
        if needed > self.most {
            return Err(Exceeded::Output(self.most));
        }
        if needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.max((2 * self.bytes.capacity()).min(self.most)));
            larger.extend_from_slice(&self.bytes);
            self.bytes.zeroize();
            *self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }
}
