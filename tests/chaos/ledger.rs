//! The values that the vault's secrets have had. All begin with the same random text, which makes them recognizable
//! wherever they turn up.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of ExternalSecrets, each with its own secret.
pub const COUNT: usize = 200;

/// The values.
pub struct Ledger {
    canary: String,
    latest: Vec<AtomicU32>,
}

impl Ledger {
    /// An empty ledger: no secret has a value yet.
    pub fn new() -> Self {
        let canary = format!("canary{:032x}", rand::random::<u128>());
        Self { canary, latest: (0..COUNT).map(|_| AtomicU32::new(0)).collect() }
    }

    /// The text that every value begins with.
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// The next value of a secret. It counts as the latest before the vault has it, so nobody can see it earlier.
    pub fn next(&self, index: usize) -> String {
        let number = self.latest[index].fetch_add(1, Ordering::SeqCst) + 1;
        self.text(index, number)
    }

    /// The number of a secret's latest value, starting at 1.
    pub fn latest(&self, index: usize) -> u32 {
        self.latest[index].load(Ordering::SeqCst)
    }

    /// The number of a value that the secret has or had.
    pub fn number_of(&self, index: usize, value: &str) -> Option<u32> {
        let number = value.rsplit('.').next()?.parse().ok()?;
        (1..=self.latest(index)).contains(&number).then_some(number).filter(|number| self.text(index, *number) == value)
    }

    fn text(&self, index: usize, number: u32) -> String {
        format!("{}.{index}.{number}", self.canary)
    }
}

/// The name of an ExternalSecret, of its Secret and of its secret in the vault.
pub fn name(index: usize) -> String {
    format!("es-{index:03}")
}

/// The number in such a name.
pub fn index(name: &str) -> Option<usize> {
    name.strip_prefix("es-")?.parse().ok().filter(|index| *index < COUNT)
}
