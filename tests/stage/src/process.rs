//! What the kernel knows about a process.

use std::io::{Error, Result};

/// The memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The most that was resident at once, with the pages of the program's file (`VmHWM`).
    pub peak: u64,
    /// What it has allocated and written to (`RssAnon`).
    pub allocated: u64,
    /// The resident pages of files, mostly the program's own code (`RssFile`). The kernel drops them when it likes.
    pub files: u64,
}

/// The memory of a process.
///
/// # Errors
/// The process has ended.
pub fn memory(process: u32) -> Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = |name: &str| {
        let size = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes: Option<u64> = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse().ok());
        // A zombie has no memory, and no such line.
        kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| Error::other(format!("process {process} has ended")))
    };
    Ok(Memory { peak: line("VmHWM")?, allocated: line("RssAnon")?, files: line("RssFile")? })
}

/// The peak memory of a process (resident set, with the pages of its program), in bytes.
///
/// # Errors
/// The process has ended.
pub fn peak_memory(process: u32) -> Result<u64> {
    memory(process).map(|memory| memory.peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_written_to_is_its_memory() {
        let written = vec![1_u8; 32 << 20];
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.allocated > 32 << 20);
        assert!(memory.peak >= memory.allocated);
        assert!(memory.files > 0);
        drop(written);
    }
}
