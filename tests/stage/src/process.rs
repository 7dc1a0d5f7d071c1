//! What the kernel knows about a process.

use std::io::{Error, Result};

/// The peak memory of a process (resident set), in bytes.
///
/// # Errors
/// The process has ended.
pub fn peak_memory(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes: Option<u64> =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    // A zombie has no memory, and no such line.
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| Error::other(format!("process {process} has ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_a_process_is_at_least_what_it_has_written_to() {
        let written = vec![1_u8; 32 << 20];
        assert!(peak_memory(std::process::id()).unwrap() > 32 << 20);
        drop(written);
    }
}
