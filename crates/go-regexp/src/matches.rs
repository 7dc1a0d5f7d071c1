//! All matches of a text, by Go's rules.

use std::ops::Range;

use regex::CaptureLocations;

use super::text::Text;
use super::{Exceeded, Regex};

/// What the searches of one call may take: bytes that may have to be read, times the pattern's
/// weight. Each search may read to the end of the text, so all matches of a long text can take
/// quadratic time.
pub(super) const MAX_WORK: usize = 1 << 32;

/// Finds one match after the other.
pub(super) struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    locations: Option<CaptureLocations>,
    /// Where the next search begins.
    at: usize,
    /// Where the last match ended.
    last_end: Option<usize>,
    work: usize,
}

impl<'r, 't> Matches<'r, 't> {
    pub(super) fn new(regex: &'r Regex, text: &'t Text<'_>) -> Self {
        Self { regex, text: text.as_str(), locations: None, at: 0, last_end: None, work: 0 }
    }

    /// With the groups of each match.
    pub(super) fn with_groups(regex: &'r Regex, text: &'t Text<'_>) -> Self {
        Self { locations: Some(regex.compiled.capture_locations()), ..Self::new(regex, text) }
    }

    /// The next match, of [`Text::as_str`].
    pub(super) fn next(&mut self) -> Result<Option<Range<usize>>, Exceeded> {
        while self.at <= self.text.len() {
            let rest = self.text.len() - self.at + 1;
            self.work = self.work.saturating_add(rest.saturating_mul(self.regex.weight));
            if self.work > self.regex.max_work {
                return Err(Exceeded::Work);
            }
            let compiled = &self.regex.compiled;
            let found = match &mut self.locations {
                Some(locations) => compiled.captures_read_at(locations, self.text, self.at),
                None => compiled.find_at(self.text, self.at),
            };
            let Some(found) = found else {
                self.at = self.text.len() + 1;
                return Ok(None);
            };
            let repeated = found.is_empty() && self.last_end == Some(found.start());
            self.last_end = Some(found.end());
            let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
            self.at = if found.end() == self.at { self.at + next.map_or(1, char::len_utf8) } else { found.end() };
            if !repeated {
                return Ok(Some(found.range()));
            }
        }
        Ok(None)
    }

    /// The groups of the last match.
    ///
    /// All unset unless made by [`Matches::with_groups`].
    pub(super) fn locations(&mut self) -> &CaptureLocations {
        let compiled = &self.regex.compiled;
        self.locations.get_or_insert_with(|| compiled.capture_locations())
    }
}
