//! The peak memory of the processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often each process is sampled. The kernel's high-water mark misses nothing, but is lost when the process is
/// killed.
const INTERVAL: Duration = Duration::from_millis(100);

/// The kinds of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The controllers.
    Controller,
    /// The webhook.
    Webhook,
    /// The cert-controller.
    CertController,
}

impl Role {
    /// The most that one process of this kind may hold, in bytes, apart from the pages of its program: these are many
    /// in an unoptimized build, and no fault makes them more.
    ///
    /// During a fault, only waiting work grows: at most the 64 objects that are synced at once, with a request and an
    /// answer each. An unbounded queue, log or retry exceeds this bound within one fault.
    pub const fn bound(self) -> u64 {
        match self {
            Self::Controller => 40 << 20,
            Self::Webhook | Self::CertController => 16 << 20,
        }
    }
}

/// What a process has held since the last reset.
struct Held {
    role: Role,
    /// The kernel's high-water mark.
    peak: u64,
    /// The largest sample of what was allocated.
    allocated: u64,
    /// The largest sample of the pages of files.
    files: u64,
}

impl Held {
    /// The most that it has surely allocated at once: a sample misses a short peak, and the high-water mark, which
    /// misses none, counts pages of files.
    fn most(&self) -> u64 {
        self.allocated.max(self.peak.saturating_sub(self.files))
    }
}

/// The peaks since the last reset, by process.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<u32, Held>>>);

impl Memory {
    /// Starts sampling processes.
    pub fn start(processes: impl Fn() -> Vec<(Role, u32)> + Send + 'static) -> Self {
        let memory = Self::default();
        let peaks = memory.clone();
        tokio::spawn(async move {
            loop {
                for (role, process) in processes() {
                    peaks.look(role, process);
                }
                tokio::time::sleep(INTERVAL).await;
            }
        });
        memory
    }

    /// Resets the peaks, including the kernel's for these processes.
    pub fn reset(&self, processes: &[(Role, u32)]) {
        for (_, process) in processes {
            // If that is forbidden, or the process has just exited, the old mark stands.
            let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
        }
        self.0.lock().unwrap().clear();
    }

    /// The peak of a kind of process, in bytes.
    pub fn peak(&self, role: Role) -> u64 {
        self.0.lock().unwrap().values().filter(|held| held.role == role).map(Held::most).max().unwrap_or_default()
    }

    /// The processes that exceeded their bound.
    pub fn violations(&self) -> Vec<String> {
        let held = self.0.lock().unwrap();
        let beyond = held.values().filter(|held| held.most() > held.role.bound());
        beyond
            .map(|held| format!("{:?} held {} MiB of {}", held.role, held.most() >> 20, held.role.bound() >> 20))
            .collect()
    }

    fn look(&self, role: Role, process: u32) {
        // One that has exited uses nothing.
        let Ok(now) = test_stage::process::memory(process) else { return };
        let mut held = self.0.lock().unwrap();
        let held = held.entry(process).or_insert(Held { role, peak: 0, allocated: 0, files: 0 });
        held.peak = held.peak.max(now.peak);
        held.allocated = held.allocated.max(now.allocated);
        held.files = held.files.max(now.files);
    }
}
