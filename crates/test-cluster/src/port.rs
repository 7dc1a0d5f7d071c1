//! Ports that no other cluster uses.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use super::error::ClusterError;

/// Below the ports that systems assign to outgoing connections, so that a port is free again as soon as its server has
/// stopped.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port of 127.0.0.1, reserved for as long as this value lives, even while nothing listens on it.
///
/// Each port is a locked file in a folder of the user, so that clusters started concurrently by several processes
/// agree. The system releases the lock when the process ends.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(super) fn reserve() -> Result<Self, ClusterError> {
        let folder = folder();
        std::fs::create_dir_all(&folder).map_err(|source| ClusterError::Write { path: folder.clone(), source })?;
        // From a random start, so that clusters do not all try the same ports first.
        let start = rand::random_range(0..COUNT);
        for offset in 0..COUNT {
            let number = FIRST + (start + offset) % COUNT;
            let path = folder.join(number.to_string());
            let lock = File::create(&path).map_err(|source| ClusterError::Write { path, source })?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(ClusterError::Port(error)),
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(ClusterError::Port(std::io::ErrorKind::AddrInUse.into()))
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// The folder of the locks, in the same cache as the programs.
fn folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("external-secrets/ports")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_held_at_once_are_distinct_and_free() {
        let ports: Vec<Port> = (0..20).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        for number in numbers {
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        }
    }

    #[test]
    fn a_port_that_is_held_cannot_be_locked_by_another() {
        let port = Port::reserve().unwrap();
        let other = File::open(folder().join(port.number().to_string())).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    }
}
