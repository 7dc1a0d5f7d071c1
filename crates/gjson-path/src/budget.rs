//! Bounds on what one lookup may cost.

use super::bytes::Output;

/// The path asks for more work than one lookup may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooComplex {
    /// Too many bytes read or written.
    #[error("the path takes too much work on this value; use a simpler path")]
    Work,
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

/// What is left of the bounds of one lookup.
pub(super) struct Budget {
    work: usize,
    depth: usize,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { work: MAX_WORK, depth: MAX_DEPTH }
    }

    /// Pays for reading `bytes`.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), TooComplex> {
        // Every step costs something, or a path of empty steps would be free.
        self.work = self.work.checked_sub(bytes.saturating_add(1)).ok_or(TooComplex::Work)?;
        Ok(())
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
