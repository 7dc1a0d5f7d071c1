//! Limits on the cost of rendering.
//!
//! A call of a function costs at least what it reads and what it produces, even if the function itself pays for
//! nothing: its text arguments are charged before the call. After the call, the elements that it visited and the values
//! that it created are charged, as far as it has not paid for them ([`Budget::begin`], [`Budget::settle`]). So
//! functions pay only for work that takes longer than that, and ask ([`Budget::room`]) before they create something
//! much larger than their arguments. The last limit is CPU time.

use std::ops::Deref;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::environment::{CpuClock, Environment};
use super::memory::{self, Share};
use super::yaml;

/// The limits of one rendering. A template that exceeds them gets an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: evaluated nodes and operands, elements that functions visit, and one per 128 bytes that a function reads
    /// or produces.
    pub steps: usize,
    /// Bytes held at one time by the values of the template and by what functions need to create them.
    pub memory: usize,
    /// Bytes of the output.
    pub output: usize,
    /// Levels of nesting while rendering: templates, actions, parentheses, printed lists. The remaining stack is a
    /// limit as well.
    pub depth: usize,
}

/// A Secret holds at most 1 MiB, in Base64, and so do all values of a template together, as a rule. The memory has room
/// for about ten times that, and a controller of 100 MiB has room for several such renderings.
impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, memory: 16 << 20, output: 2 << 20, depth: 200 }
    }
}

/// What several renderings may take together, such as those of one object, in addition to the [`Limits`] of each.
#[derive(Clone, Debug)]
pub struct Allowance {
    steps: usize,
    output: usize,
    cpu_time: Duration,
    pub(super) documents: yaml::Room,
}

impl Allowance {
    /// The steps of all renderings together: four times the limit of one.
    pub const STEPS: usize = 4_000_000;
    /// The output in bytes of all renderings together: twice the limit of one.
    pub const OUTPUT: usize = 4 << 20;
    /// The CPU time of all renderings together. Hashing a hundred passwords with bcrypt takes about half of it.
    pub const CPU_TIME: Duration = Duration::from_secs(15);
    /// The nodes of all YAML documents that they produce.
    pub const DOCUMENT_NODES: usize = yaml::Room::NODES;
    /// The memory in bytes of these documents, with aliases expanded.
    pub const DOCUMENT_BYTES: usize = 16 << 20;

    /// A full allowance.
    #[must_use]
    pub const fn new() -> Self {
        let documents = yaml::Room { nodes: Self::DOCUMENT_NODES, bytes: Self::DOCUMENT_BYTES };
        Self { steps: Self::STEPS, output: Self::OUTPUT, cpu_time: Self::CPU_TIME, documents }
    }
}

impl Allowance {
    /// The steps that are left.
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

/// A limit that was exceeded: which one, its value, and what to do.
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

/// How many bytes a function can read or produce in the time of a step, looking at each of them.
pub(crate) const BYTES_PER_STEP: usize = 128;

/// The number of steps between two checks of the CPU time.
const STEPS_PER_LOOK: usize = 1000;

/// What is left of the limits.
pub struct Budget {
    limits: Limits,
    allowance: Allowance,
    steps: usize,
    depth: usize,
    /// What this thread's values held before.
    held_before: usize,
    clock: CpuClock,
    /// The CPU time at which the time is over.
    deadline: Duration,
    steps_since_look: usize,
    call: Bill,
}

/// The state when a call began.
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

    /// The allowance of the next rendering, after one with this output.
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
    /// If none are left, the time is over, or values hold too much memory.
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

    /// The error if no steps are left.
    const fn no_steps(&self) -> Exceeded {
        if self.allowance.steps < self.limits.steps {
            Exceeded::AllSteps(Allowance::STEPS)
        } else {
            Exceeded::Steps(self.limits.steps)
        }
    }

    /// Steps for what the call has visited and created so far and not paid for.
    fn debt(&self) -> usize {
        let owed = memory::work().wrapping_sub(self.call.work) / BYTES_PER_STEP;
        owed.saturating_sub(self.call.steps.saturating_sub(self.steps))
    }

    /// Pays for bytes that are read or produced.
    ///
    /// # Errors
    /// As [`Budget::steps`].
    pub fn read(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.steps(bytes / BYTES_PER_STEP)
    }

    /// The steps that are left.
    #[must_use]
    pub const fn steps_left(&self) -> usize {
        self.steps
    }

    /// Checks whether there is memory for this many more bytes. They are charged as long as a value holds them.
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

    /// How many more bytes values may hold.
    pub(super) fn room_left(&self) -> usize {
        self.limits.memory.saturating_sub(memory::held().saturating_sub(self.held_before))
    }

    /// The error if no memory is left.
    pub(super) const fn no_memory(&self) -> Exceeded {
        Exceeded::Memory(self.limits.memory)
    }

    /// Begins a call with this many bytes of text arguments, and pays for them.
    pub(super) fn begin(&mut self, given: usize) -> Result<(), Exceeded> {
        self.call = Bill { steps: self.steps, work: memory::work() };
        memory::touch(given);
        self.read(given)?;
        // A result is usually as large as the arguments. A function that needs more asks for it.
        self.room(given)
    }

    /// Ends the call: pays for what was visited and created since it began, as far as that is not paid for.
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

    /// Enters a level; [`Budget::ascend`] leaves it.
    pub(super) fn descend(&mut self) -> Result<(), Exceeded> {
        self.depth = self.depth.checked_sub(1).ok_or(Exceeded::Depth(self.limits.depth))?;
        Ok(())
    }

    pub(super) const fn ascend(&mut self) {
        self.depth += 1;
    }
}

/// A string that is being written. Leaves no copy behind when it grows.
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

    /// Appends the same byte `count` times.
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
