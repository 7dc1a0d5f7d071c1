//! What one ExternalSecret may compute per sync. Its templates have an allowance of their own.
//!
//! Work is charged where it is done: code that searches, looks up, decodes or parses does so through the budget, or
//! pays first. This bounds whatever a user makes expensive, in a manifest, a vault or both, no matter how many entries
//! there are.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gjson_path::{Bytes, TooComplex, Value};

use crate::re2;

/// Work of all regular expressions: the bytes of names that searches may have to read, times the size of the pattern
/// divided by 64. That is a thousand names of 100 bytes, each searched 100 times. It takes 30 ms; with patterns
/// designed to be slow, [`MATCHING_TIME`].
pub const MATCHING: usize = 1 << 24;
/// The CPU time of all searches. Most patterns never need it, since a unit of their work is fast. A search that has
/// begun is finished.
pub const MATCHING_TIME: Duration = Duration::from_secs(1);
/// How much of [`MATCHING`] one text may take.
const ONE_SEARCH: usize = MATCHING / 4;
/// The longest key, in bytes, that a rewrite may produce. Kubernetes accepts 253 in the end.
const LONGEST_KEY: usize = 1 << 20;
/// Work of all property paths: bytes read, plus eight times the bytes written. It takes half a second.
pub const LOOKUPS: usize = 1 << 28;
/// Bytes of values that are decoded, parsed or merged, and of keys that are rewritten. A Secret holds 1 MiB.
pub const VALUES: usize = 32 << 20;
/// Members of JSON objects and elements of lists in parsed values. Each takes about 100 bytes of memory.
pub const NODES: usize = 200_000;

/// States of all regular expressions in a manifest, plus [`PATTERN`] for each. Compiling them takes 0.1 s.
pub const PATTERNS: usize = 200_000;
/// What the smallest regular expression costs, in states.
pub const PATTERN: usize = 100;

/// The remaining budget for one sync of one ExternalSecret, shared by its concurrent reads.
#[derive(Debug)]
pub struct Budget(Mutex<Left>);

#[derive(Debug)]
struct Left {
    matching: re2::Allowance,
    matching_time: Duration,
    lookups: gjson_path::Allowance,
    values: usize,
    nodes: usize,
}

/// An ExternalSecret exceeds a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`MATCHING`]
    #[error(
        "the regular expressions of this ExternalSecret take more than the {MATCHING} steps allowed in total; use simpler expressions, find fewer secrets, or split it into several ExternalSecrets"
    )]
    Matching,
    /// [`MATCHING_TIME`]
    #[error(
        "the regular expressions of this ExternalSecret take more than {} s of CPU time; use simpler expressions, find fewer secrets, or split it into several ExternalSecrets",
        MATCHING_TIME.as_secs()
    )]
    MatchingTime,
    /// [`LOOKUPS`]
    #[error(
        "the property paths of this ExternalSecret take more than the {LOOKUPS} steps allowed in total; use simpler paths on smaller values, or split it into several ExternalSecrets"
    )]
    Lookups,
    /// [`VALUES`]
    #[error(
        "this ExternalSecret decodes, extracts or rewrites more than the {VALUES} bytes allowed in total; name fewer or smaller values, or split it into several ExternalSecrets"
    )]
    Values,
    /// [`NODES`]
    #[error(
        "the values of this ExternalSecret contain more than the {NODES} JSON values allowed in total; name fewer or smaller values, or split it into several ExternalSecrets"
    )]
    Nodes,
}

/// Why a search failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// It exceeds the ExternalSecret's budget.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// It exceeds the limit of a single search.
    #[error(transparent)]
    Search(re2::Exceeded),
}

/// Why a lookup failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// It exceeds the ExternalSecret's budget.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// It exceeds the limit of a single lookup.
    #[error(transparent)]
    Lookup(TooComplex),
}

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(Left {
            matching: re2::Allowance::new(MATCHING),
            matching_time: MATCHING_TIME,
            lookups: gjson_path::Allowance::new(LOOKUPS),
            values: VALUES,
            nodes: NODES,
        }))
    }
}

impl Budget {
    /// Runs a search with a regular expression, on one text.
    ///
    /// # Errors
    /// [`SearchError`]
    pub fn search<T>(
        &self,
        search: impl FnOnce(&mut re2::Allowance) -> Result<T, re2::Exceeded>,
    ) -> Result<T, SearchError> {
        let mut left = self.left();
        if left.matching_time.is_zero() {
            return Err(Exceeded::MatchingTime.into());
        }
        let affordable = left.matching.left();
        let mut allowance = re2::Allowance::new(affordable.min(ONE_SEARCH)).with_output(LONGEST_KEY);
        let before = processor_time();
        let found = search(&mut allowance);
        left.matching_time = left.matching_time.saturating_sub(processor_time().saturating_sub(before));
        let taken = affordable.min(ONE_SEARCH) - allowance.left();
        left.matching = re2::Allowance::new(affordable - taken);
        found.map_err(|exceeded| match exceeded {
            re2::Exceeded::Work if affordable <= ONE_SEARCH => Exceeded::Matching.into(),
            other => SearchError::Search(other),
        })
    }

    /// The value in `json` that the GJSON path `path` names, as text; `None` if there is none.
    ///
    /// # Errors
    /// [`LookupError`]
    pub fn lookup(&self, json: &[u8], path: &[u8]) -> Result<Option<Bytes<'static>>, LookupError> {
        let found = gjson_path::get_within(json, path, &mut self.left().lookups);
        let found = found.map_err(|too_complex| match too_complex {
            TooComplex::AllWork => Exceeded::Lookups.into(),
            other => LookupError::Lookup(other),
        })?;
        found.as_ref().map(|found| self.text(found)).transpose().map_err(LookupError::from)
    }

    /// A copy of what a lookup found.
    fn text(&self, found: &Value<'_>) -> Result<Bytes<'static>, Exceeded> {
        let text = found.text();
        self.values(text.len())?;
        Ok(text.into_owned())
    }

    /// Pays for bytes of a value or key that are read or produced.
    ///
    /// # Errors
    /// [`Exceeded::Values`]
    pub fn values(&self, bytes: usize) -> Result<(), Exceeded> {
        pay(&mut self.left().values, bytes).ok_or(Exceeded::Values)
    }

    /// Pays for JSON values that are kept individually.
    ///
    /// # Errors
    /// [`Exceeded::Nodes`]
    pub fn nodes(&self, nodes: usize) -> Result<(), Exceeded> {
        pay(&mut self.left().nodes, nodes).ok_or(Exceeded::Nodes)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The CPU time of this thread.
#[cfg(unix)]
fn processor_time() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The time since the first call, which no thread can compute for longer than.
#[cfg(not(unix))]
fn processor_time() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

/// A cost that exceeds what is left uses it up.
fn pay(left: &mut usize, amount: usize) -> Option<()> {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or_default();
    rest.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_has_begun_ends_and_none_begins_when_the_time_is_over() {
        let budget = Budget::default();
        budget.left().matching_time = Duration::from_millis(1);
        let computing = |_: &mut re2::Allowance| {
            let end = processor_time() + Duration::from_millis(2);
            while processor_time() < end {}
            Ok(())
        };
        assert_eq!(budget.search(computing), Ok(()));
        assert_eq!(budget.search(|_| Ok(())), Err(Exceeded::MatchingTime.into()));
    }
}
