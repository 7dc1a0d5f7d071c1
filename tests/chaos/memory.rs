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
    /// The most that one process of this kind may use, in bytes.
    ///
    /// The unoptimized test build uses about 45 MiB after its start, mostly its own code, and about 60 MiB with 200
    /// ExternalSecrets, 64 of which are synced at once. During a fault, only waiting work grows: at most those 64, with
    /// a request and an answer each. An unbounded queue, log or retry exceeds this bound within one fault.
    pub const fn bound(self) -> u64 {
        match self {
            Self::Controller => 96 << 20,
            Self::Webhook | Self::CertController => 64 << 20,
        }
    }
}

/// The peaks since the last reset.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<Role, u64>>>);

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
        self.0.lock().unwrap().get(&role).copied().unwrap_or_default()
    }

    /// The processes that exceeded their bound.
    pub fn violations(&self) -> Vec<String> {
        let peaks = self.0.lock().unwrap();
        let beyond = peaks.iter().filter(|(role, peak)| **peak > role.bound());
        beyond.map(|(role, peak)| format!("{role:?} held {} MiB of {}", peak >> 20, role.bound() >> 20)).collect()
    }

    fn look(&self, role: Role, process: u32) {
        // One that has exited uses nothing.
        let bytes = test_stage::process::peak_memory(process).unwrap_or_default();
        let mut peaks = self.0.lock().unwrap();
        let peak = peaks.entry(role).or_default();
        *peak = bytes.max(*peak);
    }
}
