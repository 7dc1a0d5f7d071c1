//! Bounds on what rendering may cost.

use std::ops::Deref;

use zeroize::{Zeroize, Zeroizing};

/// How much one rendering may take. A template that takes more gets an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: nodes and operands that are evaluated, entries that functions visit.
    pub steps: usize,
    /// Bytes of all strings that are made, the output among them. Strings are gone when rendering
    /// ends, so this also bounds its memory.
    pub bytes: usize,
    /// Bytes of the output.
    pub output: usize,
    /// Levels of nesting, of whatever is nested while it is rendered: templates, actions,
    /// parentheses, lists that are printed. What is left of the stack bounds it.
    pub depth: usize,
}

/// A Secret holds at most 1 MiB.
impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, bytes: 64 << 20, output: 2 << 20, depth: 200 }
    }
}

/// What several renderings may take together, such as those of one object, besides the [`Limits`] of each.
#[derive(Clone, Debug)]
pub struct Allowance {
    steps: usize,
    output: usize,
}

impl Allowance {
    /// The steps that renderings may take together: four times those of one.
    pub const STEPS: usize = 4_000_000;
    /// The bytes that they may render together: twice those of one.
    pub const OUTPUT: usize = 4 << 20;

    /// All of it.
    #[must_use]
    pub const fn new() -> Self {
        Self { steps: Self::STEPS, output: Self::OUTPUT }
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}

/// A bound was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`Limits::steps`]
    #[error("the template takes more than {0} steps")]
    Steps(usize),
    /// [`Limits::bytes`]
    #[error("the template makes strings of more than {0} bytes")]
    Bytes(usize),
    /// [`Limits::output`]
    #[error("the template renders more than {0} bytes")]
    Output(usize),
    /// [`Limits::depth`]
    #[error("the template goes through more than {0} levels of nesting")]
    Depth(usize),
    /// [`Allowance::STEPS`]
    #[error("this and the templates before it take more than {0} steps")]
    AllSteps(usize),
    /// [`Allowance::OUTPUT`]
    #[error("this and the templates before it render more than {0} bytes")]
    AllOutput(usize),
}

/// How many bytes can be looked through in the time of a step.
const BYTES_PER_STEP: usize = 1024;

/// What is left of the limits.
pub struct Budget {
    limits: Limits,
    allowance: Allowance,
    steps: usize,
    bytes: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits, allowance: &Allowance) -> Self {
        let steps = limits.steps.min(allowance.steps);
        Self { limits, allowance: allowance.clone(), steps, bytes: limits.bytes, depth: limits.depth }
    }

    /// What the next rendering may take, after one with this output.
    pub(super) fn rest(&self, output: usize) -> Allowance {
        let Allowance { steps, output: allowed } = self.allowance;
        let taken = self.limits.steps.min(steps) - self.steps;
        Allowance { steps: steps - taken, output: allowed.saturating_sub(output) }
    }

    /// Pays for steps.
    ///
    /// # Errors
    /// If none are left.
    pub fn steps(&mut self, steps: usize) -> Result<(), Exceeded> {
        let Some(left) = self.steps.checked_sub(steps) else {
            let is_last = self.allowance.steps < self.limits.steps;
            return Err(if is_last {
                Exceeded::AllSteps(Allowance::STEPS)
            } else {
                Exceeded::Steps(self.limits.steps)
            });
        };
        self.steps = left;
        Ok(())
    }

    /// Pays for bytes that are looked through.
    ///
    /// # Errors
    /// If no steps are left.
    pub fn read(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.steps(bytes / BYTES_PER_STEP)
    }

    /// How many steps are left.
    #[must_use]
    pub const fn steps_left(&self) -> usize {
        self.steps
    }

    /// Pays for bytes of a string that is made.
    ///
    /// # Errors
    /// If none are left.
    pub fn bytes(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Exceeded::Bytes(self.limits.bytes))?;
        Ok(())
    }

    /// Whether an output of this length is allowed.
    pub(super) const fn output(&self, len: usize) -> Result<(), Exceeded> {
        if len > self.limits.output {
            Err(Exceeded::Output(self.limits.output))
        } else if len > self.allowance.output {
            Err(Exceeded::AllOutput(Allowance::OUTPUT))
        } else {
            Ok(())
        }
    }

    /// Goes one level deeper; [`Budget::ascend`] comes back.
    pub(super) fn descend(&mut self) -> Result<(), Exceeded> {
        self.depth = self.depth.checked_sub(1).ok_or(Exceeded::Depth(self.limits.depth))?;
        Ok(())
    }

    pub(super) const fn ascend(&mut self) {
        self.depth += 1;
    }
}

/// A string being written. Leaves no copy behind when it grows.
#[derive(Default)]
pub struct Buffer {
    text: Zeroizing<Vec<u8>>,
}

impl Buffer {
    /// Appends `text`.
    ///
    /// # Errors
    /// If the budget has no bytes left.
    pub fn push(&mut self, text: &[u8], budget: &mut Budget) -> Result<(), Exceeded> {
        budget.bytes(text.len())?;
        self.reserve(text.len());
        self.text.extend_from_slice(text);
        Ok(())
    }

    /// Appends `count` times the same byte.
    ///
    /// # Errors
    /// If the budget has no bytes left.
    pub fn fill(&mut self, byte: u8, count: usize, budget: &mut Budget) -> Result<(), Exceeded> {
        budget.bytes(count)?;
        self.reserve(count);
        let len = self.text.len() + count;
        self.text.resize(len, byte);
        Ok(())
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.text.len() + more;
        if needed > self.text.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.text.capacity()).max(64));
            larger.extend_from_slice(&self.text);
            self.text.zeroize();
            *self.text = larger;
        }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.text
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}
