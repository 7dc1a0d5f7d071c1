//! Bounds on what lookups may cost.

use super::bytes::Output;

/// The path asks for more than lookups may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooComplex {
    /// Too many bytes read or written.
    #[error("the path takes too much work on this value; use a simpler path")]
    Work,
    /// More than the [`Allowance`] has left.
    #[error("this path and those before it take too much work together; use simpler paths, or fewer of them")]
    AllWork,
    /// Too many levels, of the path or of the document.
    #[error("the path goes through more than {MAX_DEPTH} levels of nesting; use a simpler path")]
    Depth,
}

/// Steps of work of one lookup: a byte read costs one. A Key Vault secret has at most 25 KB, so a
/// path may read it some thousand times over; all steps together take well under a second.
const MAX_WORK: usize = 64 << 20;

/// What a byte written costs, which bounds the memory of one lookup to 8 MiB.
const WRITE_COST: usize = 8;

/// Levels of nested calls of one lookup, chosen to fit the stack of any thread.
const MAX_DEPTH: usize = 200;

/// What several lookups may take together, besides the bounds of each: steps of work, where a byte read costs one and a byte
/// written eight. A step takes about 2 ns.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowance {
    left: usize,
}

impl Allowance {
    /// What one lookup may take at most.
    pub const ONE_LOOKUP: usize = MAX_WORK;

    /// Of so many steps.
    #[must_use]
    pub const fn new(steps: usize) -> Self {
        Self { left: steps }
    }

    /// How many steps are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// What a lookup took of `given`.
    pub(super) const fn take(&mut self, given: usize, budget: &Budget) {
        self.left -= given - budget.work;
    }
}

/// What is left of the bounds of one lookup.
pub(super) struct Budget {
    work: usize,
    depth: usize,
    /// What it is to take more work.
    exceeded: TooComplex,
}

impl Budget {
    /// Of one lookup, and of what `allowance` has left.
    pub(super) fn within(allowance: &Allowance) -> Self {
        let (work, exceeded) = if allowance.left < MAX_WORK {
            (allowance.left, TooComplex::AllWork)
        } else {
            (MAX_WORK, TooComplex::Work)
        };
        Self { work, depth: MAX_DEPTH, exceeded }
    }

    /// How many steps are left.
    pub(super) const fn work(&self) -> usize {
        self.work
    }

    /// Pays for reading `bytes`.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), TooComplex> {
        // Every step costs something, or a path of empty steps would be free.
        let left = self.work.checked_sub(bytes.saturating_add(1));
        // One that has failed has nothing left, nor have those that follow.
        self.work = left.unwrap_or_default();
        left.map(drop).ok_or(self.exceeded)
    }

    /// Pays for `text` and appends it to `output`.
    pub(super) fn write(&mut self, output: &mut Output, text: &[u8]) -> Result<(), TooComplex> {
        self.read(text.len().saturating_mul(WRITE_COST))?;
        output.push(text);
        Ok(())
    }

    /// Goes one level deeper; [`Budget::ascend`] comes back.
    pub(super) fn descend(&mut self) -> Result<(), TooComplex> {
        self.depth = self.depth.checked_sub(1).ok_or(TooComplex::Depth)?;
        Ok(())
    }

    pub(super) const fn ascend(&mut self) {
        self.depth += 1;
    }
}
