//! All matches in a text, under Go's rules.

use std::ops::Range;

use regex::CaptureLocations;

use super::text::Text;
use super::{Allowance, Exceeded, Regex};

/// The weight with groups up to which a pattern certainly has few enough states for the crate's fast engine.
const LIGHT: usize = 16;

/// Finds one match after the other.
pub(super) struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    locations: Option<CaptureLocations>,
    /// Where the next search begins.
    at: usize,
    /// Where the last match ended.
    last_end: Option<usize>,
}

impl<'r, 't> Matches<'r, 't> {
    pub(super) fn new(regex: &'r Regex, text: &'t Text<'_>) -> Self {
        Self { regex, text: text.as_str(), locations: None, at: 0, last_end: None }
    }

    /// Including the groups of each match.
    pub(super) fn with_groups(regex: &'r Regex, text: &'t Text<'_>) -> Self {
        Self { locations: Some(regex.compiled.capture_locations()), ..Self::new(regex, text) }
    }

    /// The next match, of [`Text::as_str`].
    pub(super) fn next(&mut self, allowance: &mut Allowance) -> Result<Option<Range<usize>>, Exceeded> {
        while self.at <= self.text.len() {
            let Some(found) = self.search(allowance)? else {
                self.at = self.text.len() + 1;
                return Ok(None);
            };
            let repeated = found.is_empty() && self.last_end == Some(found.start);
            self.last_end = Some(found.end);
            let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
            self.at = if found.end == self.at { self.at + next.map_or(1, char::len_utf8) } else { found.end };
            if !repeated {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Searches from the end of the last match. Pays before it searches.
    fn search(&mut self, allowance: &mut Allowance) -> Result<Option<Range<usize>>, Exceeded> {
        let Self { regex, text, at, .. } = *self;
        // The search may read the rest of the text. If the length of matches is limited, what cannot have been read is
        // refunded.
        let rest = text.len() - at;
        allowance.pay(rest, regex.weight)?;
        let found = regex.compiled.find_at(text, at).map(|found| found.range());
        if let (Some(longest), Some(found)) = (regex.longest, &found) {
            let read = (found.start - at).saturating_add(longest).min(rest);
            allowance.give_back(rest - read, regex.weight);
        }
        if let (Some(locations), Some(found)) = (&mut self.locations, &found) {
            // To find groups, the match is traversed once more with a position per group in each state. With many
            // states, that may read as much as the search itself.
            let rest = text.len() - found.start;
            let read = if regex.weight_with_groups > LIGHT {
                regex.longest.map_or(rest, |most| most.min(rest))
            } else {
                found.len()
            };
            allowance.pay(read, regex.weight_with_groups)?;
            regex.compiled.captures_read_at(locations, text, found.start);
        }
        Ok(found)
    }

    /// The groups of the last match.
    ///
    /// All unset, unless created by [`Matches::with_groups`].
    pub(super) fn locations(&mut self) -> &CaptureLocations {
        let compiled = &self.regex.compiled;
        self.locations.get_or_insert_with(|| compiled.capture_locations())
    }
}
