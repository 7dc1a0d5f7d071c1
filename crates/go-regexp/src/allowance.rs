//! Limits on the work of searches.

use super::Exceeded;

/// What searches may take together: bytes of text that they may have to read, times the pattern's weight. A unit takes
/// about 2 ns, and 0.2 µs in the worst case, which is a pattern that visits all of its states for each byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowance {
    left: usize,
    output: usize,
}

impl Allowance {
    /// For one search, or all matches in one text, if nothing else limits them.
    pub const ONE_CALL: usize = 1 << 24;

    /// The most bytes that one replacement may produce, if nothing else limits it.
    pub const OUTPUT: usize = 16 << 20;

    /// An allowance of this many units.
    #[must_use]
    pub const fn new(units: usize) -> Self {
        Self { left: units, output: Self::OUTPUT }
    }

    /// The same with a limit of bytes that one replacement may produce.
    #[must_use]
    pub const fn with_output(self, bytes: usize) -> Self {
        Self { output: bytes, ..self }
    }

    /// The most bytes that one replacement may produce.
    pub(super) const fn output(&self) -> usize {
        self.output
    }

    /// The units that are left.
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

    /// Refunds what was paid for `bytes` that were not read.
    pub(super) const fn give_back(&mut self, bytes: usize, weight: usize) {
        self.left = self.left.saturating_add(bytes.saturating_mul(weight));
    }
}
