//! What searches may take.

use super::Exceeded;

/// What searches may take together: bytes of text that they may have to read, times the pattern's weight. A unit takes some
/// 2 ns, and 0.2 µs at the worst, where a pattern is such that all of its states are gone through for each byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowance {
    left: usize,
    output: usize,
}

impl Allowance {
    /// For one search, or all matches of one text, where nobody else bounds them.
    pub const ONE_CALL: usize = 1 << 24;

    /// Bytes that one replacement may make, where nobody bounds them further.
    pub const OUTPUT: usize = 16 << 20;

    /// Of so many units.
    #[must_use]
    pub const fn new(units: usize) -> Self {
        Self { left: units, output: Self::OUTPUT }
    }

    /// The same, with which one replacement makes no more than so many bytes.
    #[must_use]
    pub const fn with_output(self, bytes: usize) -> Self {
        Self { output: bytes, ..self }
    }

    /// How many bytes one replacement may make.
    pub(super) const fn output(&self) -> usize {
        self.output
    }

    /// How many units are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Pays for reading `bytes`. Every search costs something.
    pub(super) fn pay(&mut self, bytes: usize, weight: usize) -> Result<(), Exceeded> {
        let cost = bytes.saturating_add(1).saturating_mul(weight);
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or_default();
        left.map(drop).ok_or(Exceeded::Work)
    }

    /// Gives back what was paid for `bytes` that were not read.
    pub(super) const fn give_back(&mut self, bytes: usize, weight: usize) {
        self.left = self.left.saturating_add(bytes.saturating_mul(weight));
    }
}
