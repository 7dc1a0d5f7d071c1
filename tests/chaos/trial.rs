//! One fault and its outcome.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use test_stage::leaks::Leaks;

use crate::Form;
use crate::arena::{Arena, Work};
use crate::chance::Chance;
use crate::faults::Fault;
use crate::memory::Role;
use crate::witness::within;

/// How long recovery may take. It is far longer than needed: a failure should report what is still wrong, not a
/// timeout.
const PATIENCE: Duration = Duration::from_mins(8);

/// How many violations of one fault are reported.
const MOST_TOLD: usize = 8;

/// The outcome of a fault.
pub struct Row {
    pub fault: &'static str,
    pub about: &'static str,
    pub lasted: Duration,
    /// From the end of the fault until everything had recovered.
    pub recovery: Option<Duration>,
    pub work: Work,
    /// The peak memory of a controller, in bytes.
    pub peak: u64,
    /// Violations.
    pub wrong: Vec<String>,
}

/// Causes a fault while values change, and waits for recovery.
pub async fn undergo(arena: &Arena, leaks: &mut Leaks, fault: &Fault, seed: u64, form: Form, round: u64) -> Row {
    let mut chance = Chance::of(seed, fault.name);
    let range = match form {
        Form::Full => fault.lasts.clone(),
        Form::Short => fault.short.clone().unwrap_or_else(|| fault.lasts.clone()),
    };
    let planned = chance.duration(range);
    arena.memory.reset(&arena.processes());
    let (before, started) = (arena.work(), Instant::now());
    let both = async {
        tokio::join!(
            (fault.play)(arena, planned, chance.fork()),
            arena.change_within(planned, chance.fork()),
            arena.pushes.change_within(&arena.scene, planned, chance.fork()),
        );
        let lasted = started.elapsed();
        let lagging = || [arena.witness.lagging(), arena.pushes.lagging()].concat();
        (lasted, within(PATIENCE, arena.recovered(round), lagging).await)
    };
    let (lasted, recovery, mut wrong) = match AssertUnwindSafe(both).catch_unwind().await {
        Ok((lasted, Ok(recovery))) => (lasted, Some(recovery), Vec::new()),
        Ok((lasted, Err(lagging))) => (lasted, None, told(lagging, "the ExternalSecret probe is not worked on")),
        Err(_) => (started.elapsed(), None, vec!["the trial itself failed; see above".to_owned()]),
    };
    wrong.extend(told(arena.take_violations(), ""));
    let logs = arena.logs();
    wrong.extend(leaks.in_logs(logs.iter().map(std::path::PathBuf::as_path)));
    let (work, peak) = (arena.work().since(before), arena.memory.peak(Role::Controller));
    Row { fault: fault.name, about: fault.about, lasted, recovery, work, peak, wrong }
}

/// The first few entries of a list, or `else_` if it is empty.
fn told(mut list: Vec<String>, else_: &str) -> Vec<String> {
    if list.is_empty() && !else_.is_empty() {
        return vec![else_.to_owned()];
    }
    let more = list.len().saturating_sub(MOST_TOLD);
    list.truncate(MOST_TOLD);
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    list
}

impl Work {
    fn since(self, before: Self) -> Self {
        Self {
            secrets: self.secrets - before.secrets,
            statuses: self.statuses - before.statuses,
            reads: self.reads - before.reads,
            versions: self.versions - before.versions,
            exchanges: self.exchanges - before.exchanges,
        }
    }
}
