//! Go's regular expressions: the syntax and matching of `regexp` (RE2), over bytes.
//!
//! ESO uses them in `find.name.regexp`, in `rewrite`, and in the template functions `regex*`. Matching is done by the
//! crate `regex`, whose semantics (leftmost, first alternative, linear time) are the same. The pattern is parsed here
//! as Go's [`regexp/syntax`] does, because the two syntaxes differ in what they accept and in the meaning of `\d`,
//! `\s`, `\b`, `{,2}`, `[[a]` and others.
//!
//! As in Go, a byte that is not UTF-8 matches as if it were U+FFFD.
//!
//! It differs from Go deliberately in its limits: on the size of a pattern ([`ErrorKind::TooLarge`],
//! [`ErrorKind::TooDeep`]; Go's are far larger), on the work of searches ([`Allowance`]) and on their output. It also
//! accepts the short names of scripts (`\p{Grek}`), which Go does not.
//!
//! [`regexp/syntax`]: https://pkg.go.dev/regexp/syntax@go1.26.0

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod allowance;
mod characters;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod matches;
mod replace;
mod text;
mod translate;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::RegexBuilder;
use zeroize::Zeroizing;

pub use allowance::Allowance;
pub use characters::{is_digit, is_letter, is_number};
pub use error::{Error, ErrorKind, Exceeded};
pub use replace::UnknownGroup;

use matches::Matches;
use replace::Template;
use text::Text;
use translate::Translation;

/// The most bytes of a compiled pattern, which patterns of an accepted size never need.
const MAX_COMPILED: usize = 16 << 20;

/// The number of states per unit of a pattern's weight.
const STATES_PER_WEIGHT: usize = 64;

/// A pattern that was parsed but not compiled. Parsing takes time proportional to the text and determines the
/// [size](Pattern::size), to which the time and memory of compiling are proportional.
#[derive(Clone)]
pub struct Pattern {
    translation: Translation,
    /// Whether the pattern is the empty text.
    is_empty: bool,
}

impl Pattern {
    /// The most states of a pattern.
    pub const MAX_SIZE: usize = translate::MAX_SIZE;
    /// The limit of states times groups, counting the whole match as a group. A search for groups may keep two
    /// positions per group in each state, which is about 32 bytes.
    pub const MAX_SIZE_TIMES_GROUPS: usize = 1 << 20;

    /// Parses `pattern`.
    ///
    /// # Errors
    /// If Go rejects it, in Go's words, or if it exceeds our limits.
    pub fn parse(pattern: &str) -> Result<Self, Error> {
        let translation = translate::translate(pattern)?;
        if translation.size.saturating_mul(translation.names.len()) > Self::MAX_SIZE_TIMES_GROUPS {
            return Err(Error::new(ErrorKind::TooLarge, pattern));
        }
        Ok(Self { translation, is_empty: pattern.is_empty() })
    }

    /// Roughly the number of states. Compiling takes 40 bytes and about 0.3 µs for each.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.translation.size
    }

    /// The groups that a [replacement](Regex::replace_all) names but the pattern does not have.
    #[must_use]
    pub fn unknown_groups(&self, replacement: &str) -> Vec<UnknownGroup> {
        Template::parse(replacement.as_bytes()).unknown(&self.translation.names)
    }

    /// Compiles it.
    ///
    /// # Errors
    /// If it turns out to be larger than its size indicates.
    pub fn compile(self) -> Result<Regex, Error> {
        let Translation { pattern, names, size, longest } = self.translation;
        let compiled = RegexBuilder::new(&pattern)
            .size_limit(MAX_COMPILED)
            .nest_limit(translate::MAX_COMPILED_NESTING)
            .build()
            .map_err(|_| Error::new(ErrorKind::TooLarge, &pattern))?;
        let weight_with_groups = 1 + size.saturating_mul(names.len()) / STATES_PER_WEIGHT;
        let weight = 1 + size / STATES_PER_WEIGHT;
        let (compiled, names) = (Arc::new(compiled), names.into());
        Ok(Regex { compiled, names, weight, weight_with_groups, longest, is_empty: self.is_empty })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

/// A compiled pattern. Cheap to clone: clones share the state of searches, such as the automaton, which grows. `Debug`
/// does not print the pattern, because a template may create it from a secret.
#[derive(Clone)]
pub struct Regex {
    compiled: Arc<regex::Regex>,
    /// The names of the groups; the first group is the whole match.
    names: Arc<[Option<String>]>,
    /// Roughly the number of steps per byte of text in the worst case.
    weight: usize,
    /// The same for a search with groups.
    weight_with_groups: usize,
    /// The most bytes of a match, if limited.
    longest: Option<usize>,
    /// Whether the pattern is empty, in which case it splits an empty text differently.
    is_empty: bool,
}

/// The byte ranges of a match and its groups: first the whole match, then each group; `None` if it did not take part in
/// the match.
pub type Groups = Vec<Option<Range<usize>>>;

impl Regex {
    /// Parses and compiles `pattern`.
    ///
    /// # Errors
    /// If Go rejects it, in Go's words, or if it exceeds our limits.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        Pattern::parse(pattern)?.compile()
    }

    /// Roughly the number of steps per byte of text in the worst case, per 64 states of the pattern.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// The names of the groups, beginning with the whole match, which has none: Go's `SubexpNames`.
    #[must_use]
    pub fn group_names(&self) -> &[Option<String>] {
        &self.names
    }

    /// Whether `text` has a match.
    ///
    /// # Errors
    /// If it could take more than `allowance` has left. The same applies to the following methods.
    pub fn is_match(&self, text: &[u8], allowance: &mut Allowance) -> Result<bool, Exceeded> {
        allowance.pay(text.len(), self.weight)?;
        Ok(self.compiled.is_match(Text::new(text).as_str()))
    }

    /// The first match.
    ///
    /// # Errors
    /// [`Exceeded::Work`]
    pub fn find(&self, text: &[u8], allowance: &mut Allowance) -> Result<Option<Range<usize>>, Exceeded> {
        let text = Text::new(text);
        let found = Matches::new(self, &text).next(allowance)?;
        Ok(found.map(|found| text.original(found)))
    }

    /// The first match with its groups.
    ///
    /// # Errors
    /// [`Exceeded::Work`]
    pub fn captures(&self, text: &[u8], allowance: &mut Allowance) -> Result<Option<Groups>, Exceeded> {
        Ok(self.captures_all(text, Some(1), allowance)?.pop())
    }

    /// All matches that do not overlap, at most `limit`. An empty match right after another match does not count.
    ///
    /// # Errors
    /// [`Exceeded::Work`]
    pub fn find_all(
        &self,
        text: &[u8],
        limit: Option<usize>,
        allowance: &mut Allowance,
    ) -> Result<Vec<Range<usize>>, Exceeded> {
        let text = Text::new(text);
        let mut matches = Matches::new(self, &text);
        let mut found = Vec::new();
        while limit.is_none_or(|limit| found.len() < limit) {
            let Some(range) = matches.next(allowance)? else { break };
            found.push(text.original(range));
        }
        Ok(found)
    }

    /// Like [`Regex::find_all`], with the groups of each match.
    ///
    /// # Errors
    /// [`Exceeded::Work`]
    pub fn captures_all(
        &self,
        text: &[u8],
        limit: Option<usize>,
        allowance: &mut Allowance,
    ) -> Result<Vec<Groups>, Exceeded> {
        let text = Text::new(text);
        let mut matches = Matches::with_groups(self, &text);
        let mut found = Vec::new();
        while limit.is_none_or(|limit| found.len() < limit) && matches.next(allowance)?.is_some() {
            found.push(self.groups(&text, matches.locations()));
        }
        Ok(found)
    }

    /// The parts of `text` between the matches, at most `limit`; the last is the remainder. Like Go's `Split`, with
    /// `None` instead of a negative number.
    ///
    /// # Errors
    /// [`Exceeded::Work`]
    pub fn split(
        &self,
        text: &[u8],
        limit: Option<usize>,
        allowance: &mut Allowance,
    ) -> Result<Vec<Range<usize>>, Exceeded> {
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        let mut parts = Vec::new();
        if text.is_empty() && !self.is_empty {
            parts.push(0..0);
            return Ok(parts);
        }
        let (mut begin, mut end) = (0, 0);
        for found in self.find_all(text, limit, allowance)? {
            if limit.is_some_and(|limit| parts.len() + 1 == limit) {
                break;
            }
            end = found.start;
            // An empty match at the very beginning separates nothing.
            if found.end != 0 {
                parts.push(begin..end);
            }
            begin = found.end;
        }
        if end != text.len() {
            parts.push(begin..text.len());
        }
        Ok(parts)
    }

    /// `text` with each match replaced by `template`. In it, `$1`, `$name`, `${1}` and `${name}` stand for groups and
    /// `$$` for a dollar sign, under the rules of Go's `Expand`: the longest name is used, so `$1x` is the group `1x`;
    /// a group that does not exist is empty; malformed references such as `${a[0]}` are literal.
    ///
    /// # Errors
    /// [`Exceeded`]
    pub fn replace_all(
        &self,
        text: &[u8],
        template: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, Exceeded> {
        replace::replace_all(self, text, &Template::parse(template), allowance)
    }

    /// `text` with each match replaced by the literal `replacement`.
    ///
    /// # Errors
    /// [`Exceeded`]
    pub fn replace_all_literal(
        &self,
        text: &[u8],
        replacement: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, Exceeded> {
        replace::replace_all(self, text, &Template::literal(replacement), allowance)
    }

    /// The groups that a [replacement](Regex::replace_all) names but the pattern does not have.
    #[must_use]
    pub fn unknown_groups(&self, replacement: &str) -> Vec<UnknownGroup> {
        Template::parse(replacement.as_bytes()).unknown(&self.names)
    }

    fn groups(&self, text: &Text<'_>, locations: &regex::CaptureLocations) -> Groups {
        let group = |index| locations.get(index).map(|(start, end)| text.original(start..end));
        (0..self.names.len()).map(group).collect()
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regex").finish_non_exhaustive()
    }
}

/// A pattern that matches `text` itself: Go's `QuoteMeta`.
#[must_use]
pub fn quote_meta(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut quoted = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted
}

#[cfg(test)]
mod tests;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
