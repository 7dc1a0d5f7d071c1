//! Bounds on what rendering may cost.
//!
//! A call of a function costs at least what it reads and what it makes, whatever the function pays
//! itself: the texts that it is given are charged before the call, and after it the elements that it
//! looked at and the values that it made, as far as it has not paid for them ([`Budget::begin`], [`Budget::settle`]). So
//! functions pay only for what takes longer than that, and ask ([`Budget::room`]) before they make
//! what is much larger than their arguments. How long the processor worked is the last bound.

use std::ops::Deref;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::environment::{CpuClock, Environment};
use super::memory::{self, Share};
use super::yaml;

/// How much one rendering may take. A template that takes more gets an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: nodes and operands that are evaluated, elements that functions look at, and one for each
    /// 128 bytes that a function reads or makes.
    pub steps: usize,
    /// Bytes that the values of the template, and what functions need to make them, hold at one time.
    pub memory: usize,
    /// Bytes of the output.
    pub output: usize,
    /// Levels of nesting, of whatever is nested while it is rendered: templates, actions,
    /// parentheses, lists that are printed. What is left of the stack bounds it.
    pub depth: usize,
}

/// A Secret holds at most 1 MiB, in Base64; so do all values of a template together, as a rule. The memory
/// has room for them some ten times over, and for several such renderings in a controller of 100 MiB.
impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, memory: 16 << 20, output: 2 << 20, depth: 200 }
    }
}

/// What several renderings may take together, such as those of one object, besides the [`Limits`] of each.
#[derive(Clone, Debug)]
pub struct Allowance {
    steps: usize,
    output: usize,
    cpu_time: Duration,
    pub(super) documents: yaml::Room,
}

impl Allowance {
    /// The steps that renderings may take together: four times those of one.
    pub const STEPS: usize = 4_000_000;
    /// The bytes that they may render together: twice those of one.
    pub const OUTPUT: usize = 4 << 20;
    /// How long the processor may work for them. A hundred passwords hashed with bcrypt take about half of it.
    pub const CPU_TIME: Duration = Duration::from_secs(15);
    /// The nodes of all YAML documents that they make.
    pub const DOCUMENT_NODES: usize = yaml::Room::NODES;
    /// The bytes of memory that these documents take, with aliases replaced.
    pub const DOCUMENT_BYTES: usize = 16 << 20;

    /// All of it.
    #[must_use]
    pub const fn new() -> Self {
        let documents = yaml::Room { nodes: Self::DOCUMENT_NODES, bytes: Self::DOCUMENT_BYTES };
        Self { steps: Self::STEPS, output: Self::OUTPUT, cpu_time: Self::CPU_TIME, documents }
    }
}

impl Allowance {
    /// How many steps are left.
    #[cfg(test)]
    pub(super) const fn steps_left(&self) -> usize {
        self.steps
    }

    /// Pays for steps between renderings.
    pub(super) fn take_steps(&mut self, steps: usize) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exceeded::AllSteps(Self::STEPS))?;
        Ok(())
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}

/// A bound was reached: which, its number, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`Limits::steps`]
    #[error(
        "the template takes more than {0} steps: shorten its loops and the texts that it works on in them, or make \
         what it computes elsewhere and keep it in the vault"
    )]
    Steps(usize),
    /// [`Limits::memory`]
    #[error("the template holds more than {0} bytes in memory: make smaller or fewer texts, lists and maps")]
    Memory(usize),
    /// [`Limits::output`]
    #[error("the template renders more than {0} bytes: a Secret holds less, so make less of them")]
    Output(usize),
    /// [`Limits::depth`]
    #[error("the template goes through more than {0} levels of nesting: nest templates, actions and values less")]
    Depth(usize),
    /// [`Allowance::STEPS`]
    #[error(
        "this and the templates before it take more than {0} steps: simplify them, or spread them over several \
         ExternalSecrets"
    )]
    AllSteps(usize),
    /// [`Allowance::OUTPUT`]
    #[error("this and the templates before it render more than {0} bytes: spread them over several ExternalSecrets")]
    AllOutput(usize),
    /// [`Allowance::CPU_TIME`]
    #[error(
        "this and the templates before it take more than {} s of the processor: make fewer keys and certificates, hash \
         fewer passwords, or spread them over several ExternalSecrets",
        .0.as_secs()
    )]
    CpuTime(Duration),
    /// [`Allowance::DOCUMENT_NODES`]
    #[error("the YAML has more than {0} nodes, aliases replaced: make smaller documents")]
    Nodes(usize),
    /// [`Allowance::DOCUMENT_BYTES`]
    #[error("the YAML takes more than {0} bytes of memory, aliases replaced: make smaller documents")]
    Document(usize),
}

/// How many bytes are read or made in the time of a step, by functions that look at each of them.
pub(crate) const BYTES_PER_STEP: usize = 128;

/// After so many steps it is looked at how long the processor worked.
const STEPS_PER_LOOK: usize = 1000;

/// What is left of the limits.
pub struct Budget {
    limits: Limits,
    allowance: Allowance,
    steps: usize,
    depth: usize,
    /// What values of this thread held before.
    held_before: usize,
    clock: CpuClock,
    /// What the clock shows when the time is over.
    deadline: Duration,
    steps_since_look: usize,
    call: Bill,
}

/// What there was when a call began.
#[derive(Clone, Copy)]
struct Bill {
    steps: usize,
    work: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits, allowance: &Allowance, environment: &Environment) -> Self {
        let clock = environment.cpu_time();
        Self {
            limits,
            allowance: allowance.clone(),
            steps: limits.steps.min(allowance.steps),
            depth: limits.depth,
            held_before: memory::held(),
            deadline: clock().saturating_add(allowance.cpu_time),
            clock,
            steps_since_look: 0,
            call: Bill { steps: 0, work: memory::work() },
        }
    }

    /// What the next rendering may take, after one with this output.
    pub(super) fn rest(&self, output: usize) -> Allowance {
        let taken = self.limits.steps.min(self.allowance.steps) - self.steps;
        Allowance {
            steps: self.allowance.steps - taken,
            output: self.allowance.output.saturating_sub(output),
            cpu_time: self.deadline.saturating_sub((self.clock)()),
            documents: self.allowance.documents,
        }
    }

    /// Pays for steps.
    ///
    /// # Errors
    /// If none are left, if the time is over, or if values hold too much by now.
    pub fn steps(&mut self, steps: usize) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(self.no_steps())?;
        self.steps_since_look += steps;
        if self.steps_since_look >= STEPS_PER_LOOK {
            self.steps_since_look = 0;
            if (self.clock)() > self.deadline {
                return Err(Exceeded::CpuTime(Allowance::CPU_TIME));
            }
        }
        if self.debt() > self.steps {
            return Err(self.no_steps());
        }
        self.room(0)
    }

    /// That there are no steps left.
    const fn no_steps(&self) -> Exceeded {
        if self.allowance.steps < self.limits.steps {
            Exceeded::AllSteps(Allowance::STEPS)
        } else {
            Exceeded::Steps(self.limits.steps)
        }
    }

    /// Steps for what the call looked at and made so far, as far as it has not paid for it.
    fn debt(&self) -> usize {
        let owed = memory::work().wrapping_sub(self.call.work) / BYTES_PER_STEP;
        owed.saturating_sub(self.call.steps.saturating_sub(self.steps))
    }

    /// Pays for bytes that are read or made.
    ///
    /// # Errors
    /// As [`Budget::steps`].
    pub fn read(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.steps(bytes / BYTES_PER_STEP)
    }

    /// How many steps are left.
    #[must_use]
    pub const fn steps_left(&self) -> usize {
        self.steps
    }

    /// Asks whether there is memory for so many bytes more. They are charged for as long as a value holds them.
    ///
    /// # Errors
    /// If there is not.
    pub fn room(&self, bytes: usize) -> Result<(), Exceeded> {
        let held = memory::held().saturating_sub(self.held_before);
        if held.saturating_add(bytes) > self.limits.memory {
            return Err(Exceeded::Memory(self.limits.memory));
        }
        Ok(())
    }

    /// How many bytes more values may hold.
    pub(super) fn room_left(&self) -> usize {
        self.limits.memory.saturating_sub(memory::held().saturating_sub(self.held_before))
    }

    /// That there is no memory left.
    pub(super) const fn no_memory(&self) -> Exceeded {
        Exceeded::Memory(self.limits.memory)
    }

    /// Begins a call that is given so many bytes of texts, and pays for them.
    pub(super) fn begin(&mut self, given: usize) -> Result<(), Exceeded> {
        self.call = Bill { steps: self.steps, work: memory::work() };
        memory::touch(given);
        self.read(given)?;
        // A result has the size of the arguments, as a rule. A function asks for more where it needs it.
        self.room(given)
    }

    /// Ends the call: pays for what was looked at and made since it began, as far as that is not paid for yet.
    pub(super) fn settle(&mut self) -> Result<(), Exceeded> {
        let debt = self.debt();
        self.call = Bill { steps: self.steps, work: memory::work() };
        self.steps(debt)
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
    share: Share,
}

impl Buffer {
    /// Appends `text`.
    ///
    /// # Errors
    /// If there is no memory left.
    pub fn push(&mut self, text: &[u8], budget: &Budget) -> Result<(), Exceeded> {
        self.reserve(text.len(), budget)?;
        self.text.extend_from_slice(text);
        Ok(())
    }

    /// Appends `count` times the same byte.
    ///
    /// # Errors
    /// If there is no memory left.
    pub fn fill(&mut self, byte: u8, count: usize, budget: &Budget) -> Result<(), Exceeded> {
        self.reserve(count, budget)?;
        let len = self.text.len() + count;
        self.text.resize(len, byte);
        Ok(())
    }

    fn reserve(&mut self, more: usize, budget: &Budget) -> Result<(), Exceeded> {
        let needed = self.text.len().saturating_add(more);
        if needed > self.text.capacity() {
            let capacity = needed.max(2 * self.text.capacity()).max(64);
            budget.room(capacity)?;
            let mut larger = Vec::with_capacity(capacity);
            larger.extend_from_slice(&self.text);
            self.text.zeroize();
            *self.text = larger;
            self.share.set(self.text.capacity());
        }
        Ok(())
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
