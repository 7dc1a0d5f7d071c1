//! Random moments, reproducible from a seed.

use std::ops::Range;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A sequence of random choices.
pub struct Chance(StdRng);

impl Chance {
    /// The sequence for a fault. Each fault has its own, so a fault run alone sees the same moments as among others.
    pub fn of(seed: u64, fault: &str) -> Self {
        // FNV-1a: the same on every machine and in every version.
        let hash = fault
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(StdRng::seed_from_u64(seed ^ hash))
    }

    /// A separate sequence for something that runs concurrently.
    pub fn fork(&mut self) -> Self {
        Self(StdRng::seed_from_u64(self.0.random()))
    }

    /// A duration, given in seconds.
    pub fn duration(&mut self, seconds: Range<f64>) -> Duration {
        Duration::from_secs_f64(self.0.random_range(seconds))
    }

    /// Pauses for a random time, given in seconds.
    pub async fn pause(&mut self, seconds: Range<f64>) {
        tokio::time::sleep(self.duration(seconds)).await;
    }

    /// A number in this range.
    pub fn number(&mut self, range: Range<i64>) -> i64 {
        self.0.random_range(range)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.random_range(0..of.len())]
    }

    /// Takes one of these out of the list.
    pub fn take<T>(&mut self, of: &mut Vec<T>) -> T {
        of.swap_remove(self.0.random_range(0..of.len()))
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.0.random()
    }
}
