//! Limits on the cost of lookups.

use super::bytes::Output;

/// A lookup exceeds its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooComplex {
    /// Too many bytes are read or written.
    #[error("the path takes too much work on this value; use a simpler path")]
    Work,
    /// More than the [`Allowance`] has left.
    #[error("this path and those before it take too much work together; use simpler paths, or fewer of them")]
    AllWork,
    /// Too many levels of the path or the document.
    #[error("the path goes through more than {MAX_DEPTH} levels of nesting; use a simpler path")]
    Depth,
}

/// Steps of work in one lookup; reading a byte takes one. A Key Vault secret has at most 25 KB, so a path may read it
/// some thousand times. All steps together take well under a second.
const MAX_WORK: usize = 64 << 20;

/// The steps that writing a byte takes, which limits the memory of one lookup to 8 MiB.
const WRITE_COST: usize = 8;

/// Levels of nested calls in one lookup, few enough for the stack of any thread.
const MAX_DEPTH: usize = 200;

/// What several lookups may take together, in addition to the limits of each: steps of work, of which reading a byte
/// takes one and writing a byte eight. A step takes about 2 ns.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowance {
    left: usize,
}

impl Allowance {
    /// The most that one lookup may take.
    pub const ONE_LOOKUP: usize = MAX_WORK;

    /// An allowance of this many steps.
    #[must_use]
    pub const fn new(steps: usize) -> Self {
        Self { left: steps }
    }

    /// The steps that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Deducts what a lookup took of `given`.
    pub(super) const fn take(&mut self, given: usize, budget: &Budget) {
        self.left -= given - budget.work;
    }
}

/// What is left of one lookup's limits.
pub(super) struct Budget {
    work: usize,
    depth: usize,
    /// The error if more work is needed.
    exceeded: TooComplex,
}

impl Budget {
    /// For one lookup, within what `allowance` has left.
    pub(super) fn within(allowance: &Allowance) -> Self {
        let (work, exceeded) = if allowance.left < MAX_WORK {
            (allowance.left, TooComplex::AllWork)
        } else {
            (MAX_WORK, TooComplex::Work)
        };
        Self { work, depth: MAX_DEPTH, exceeded }
    }

    /// The steps that are left.
    pub(super) const fn work(&self) -> usize {
        self.work
    }

    /// Pays for reading `bytes`.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), TooComplex> {
        // Every step costs something, or a path of empty steps would be free.
        let left = self.work.checked_sub(bytes.saturating_add(1));
        // A lookup that has failed has nothing left for what follows.
        self.work = left.unwrap_or_default();
        left.map(drop).ok_or(self.exceeded)
    }

    /// Pays for `text` and appends it to `output`.
    pub(super) fn write(&mut self, output: &mut Output, text: &[u8]) -> Result<(), TooComplex> {
        self.read(text.len().saturating_mul(WRITE_COST))?;
        output.push(text);
        Ok(())
    }

    /// Enters a level; [`Budget::ascend`] leaves it.
    pub(super) fn descend(&mut self) -> Result<(), TooComplex> {
        self.depth = self.depth.checked_sub(1).ok_or(TooComplex::Depth)?;
        Ok(())
    }

    pub(super) const fn ascend(&mut self) {
        self.depth += 1;
    }
}
