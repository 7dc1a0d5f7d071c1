//! The most memory that the processes hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a process is looked at: its own high-water mark misses nothing, but goes with it when it is killed.
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
    /// What one process of this kind may hold, in bytes.
    ///
    /// The program without optimizations, as tests build it, holds some 45 MiB when it has started, most of it its own code,
    /// and some 60 MiB with 200 ExternalSecrets of which 64 are worked on at once. What grows with a fault is what waits: at
    /// most those 64, with a request and an answer each. A queue, a log or a retry that grows without bound passes this
    /// bound within one fault.
    pub const fn bound(self) -> u64 {
        match self {
            Self::Controller => 96 << 20,
            Self::Webhook | Self::CertController => 64 << 20,
        }
    }
}

/// The peaks since they were last reset.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<Role, u64>>>);

impl Memory {
    /// Begins to look at processes.
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

    /// Forgets the peaks, of these processes, too.
    pub fn reset(&self, processes: &[(Role, u32)]) {
        for (_, process) in processes {
            // Where it is forbidden, or the process has ended just now, the mark of before stands.
            let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
        }
        self.0.lock().unwrap().clear();
    }

    /// The peak of a kind of process, in bytes.
    pub fn peak(&self, role: Role) -> u64 {
        self.0.lock().unwrap().get(&role).copied().unwrap_or_default()
    }

    /// Who held more than it may.
    pub fn violations(&self) -> Vec<String> {
        let peaks = self.0.lock().unwrap();
        let beyond = peaks.iter().filter(|(role, peak)| **peak > role.bound());
        beyond.map(|(role, peak)| format!("{role:?} held {} MiB of {}", peak >> 20, role.bound() >> 20)).collect()
    }

    fn look(&self, role: Role, process: u32) {
        // One that has ended holds nothing.
        let bytes = test_stage::process::peak_memory(process).unwrap_or_default();
        let mut peaks = self.0.lock().unwrap();
        let peak = peaks.entry(role).or_default();
        *peak = bytes.max(*peak);
    }
}
