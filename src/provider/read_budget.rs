//! How much one ExternalSecret or PushSecret may read in total, and how much all of them together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::shares::{Share, Shares};
use super::{Class, ProviderError, SecretMap, SecretValue};

/// The most that one ExternalSecret may read. A Secret holds 1 MiB, but what is read may be longer, for example in
/// base64 or with properties that are left out.
pub const MOST_READ: usize = 4 << 20;

/// The memory for all objects that are being reconciled. Each byte may be in memory twice, as read and as
/// decoded.
const HELD_IN_ALL: usize = 16 << 20;

/// The memory of each in addition, which is enough for most of them never to wait for others.
const FREE: usize = 64 << 10;

/// The memory of a value in addition to its bytes and its name.
const OVERHEAD: usize = 64;

/// The least by which a share grows, so that it does not grow with each value.
const STEP: usize = 64 << 10;

/// How long an ExternalSecret waits until others need less.
const PATIENCE: Duration = Duration::from_secs(10);

/// The cause of its errors, in metrics and documentation.
pub(super) const OVER_BUDGET: &str = "ReadBudgetExceeded";
pub(super) const CROWDED: &str = "ReadsCrowded";

/// The memory for what all objects that are being reconciled have read.
#[derive(Clone, Debug)]
pub struct ValueMemory(Arc<Shares>);

impl Default for ValueMemory {
    fn default() -> Self {
        Self(Shares::new(HELD_IN_ALL))
    }
}

/// What one object has read and may still read. Holds its memory until it is dropped.
#[derive(Debug)]
pub struct ReadBudget {
    memory: ValueMemory,
    namespace: Arc<str>,
    spent: Mutex<Spent>,
    crowded: AtomicBool,
}

#[derive(Debug)]
struct Spent {
    bytes: usize,
    share: Share,
}

impl ReadBudget {
    /// For one pass over an ExternalSecret in this namespace.
    #[must_use]
    pub fn new(memory: &ValueMemory, namespace: &str) -> Self {
        let namespace: Arc<str> = namespace.into();
        let share = memory.0.none(&namespace);
        Self::with(memory.clone(), namespace, share)
    }

    /// For a test, or a program that reads one ExternalSecret.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(&ValueMemory::default(), "")
    }

    fn with(memory: ValueMemory, namespace: Arc<str>, share: Share) -> Self {
        Self { memory, namespace, spent: Mutex::new(Spent { bytes: 0, share }), crowded: AtomicBool::new(false) }
    }

    /// Charges a value under this name.
    ///
    /// # Errors
    /// If it exceeds the budget.
    pub fn charge(&self, name: &str, value: &SecretValue) -> Result<(), ProviderError> {
        self.charge_bytes(name.len() + value.expose_secret().len() + OVERHEAD)
    }

    /// Charges all values of a map.
    ///
    /// # Errors
    /// If it exceeds the budget.
    pub fn charge_all(&self, values: &SecretMap) -> Result<(), ProviderError> {
        values.iter().try_for_each(|(name, value)| self.charge(name, value))
    }

    /// Charges a number of bytes.
    ///
    /// # Errors
    /// If it exceeds the budget.
    pub fn charge_bytes(&self, bytes: usize) -> Result<(), ProviderError> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.bytes = spent.bytes.saturating_add(bytes);
        if spent.bytes > MOST_READ {
            return Err(over_budget());
        }
        let missing = spent.bytes.saturating_sub(FREE).saturating_sub(spent.share.amount());
        if missing > 0 && !spent.share.try_grow(missing.max(STEP)) {
            self.crowded.store(true, Ordering::Relaxed);
            return Err(crowded());
        }
        Ok(())
    }

    /// Whether something was refused because others hold too much.
    #[must_use]
    pub fn was_crowded_out(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// A new budget with its full memory reserved. The caller must first drop what it read with this one.
    ///
    /// # Errors
    /// If others hold too much for several seconds.
    pub async fn anew(self) -> Result<Self, ProviderError> {
        let Self { memory, namespace, spent, .. } = self;
        drop(spent);
        let share = memory.0.take_within(&namespace, MOST_READ, PATIENCE).await.ok_or_else(crowded)?;
        Ok(Self::with(memory, namespace, share))
    }
}

fn over_budget() -> ProviderError {
    let message =
        format!("one ExternalSecret may read {} MiB of values and names in total, and this is more", MOST_READ >> 20);
    ProviderError::new(Class::OverBudget, OVER_BUDGET, message)
        .with_hint("make several ExternalSecrets, or let dataFrom.find match fewer")
}

fn crowded() -> ProviderError {
    ProviderError {
        class: Class::Throttled,
        cause: CROWDED,
        message: format!(
            "the ExternalSecrets and PushSecrets being synced have reached their shared limit of {} MiB, half of which one namespace may use",
            HELD_IN_ALL >> 20
        ),
        hint: Some("the controller retries; if it lasts, let large ones read less".to_owned()),
        retry_after: Some(Duration::from_secs(2)),
        recovery: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exceeded_budget_is_reported_with_its_number_and_a_remedy() {
        let budget = ReadBudget::alone();
        assert_eq!(budget.charge_bytes(MOST_READ), Ok(()));
        let refused = budget.charge_bytes(1).unwrap_err();
        assert_eq!((refused.class, refused.cause), (Class::OverBudget, OVER_BUDGET));
        assert!(refused.to_string().contains("4 MiB") && refused.to_string().contains("find"), "{refused}");
        assert!(!budget.was_crowded_out());
    }

    #[test]
    fn values_cost_their_names_too() {
        let value: SecretValue = Arc::new(Vec::new().into());
        let budget = ReadBudget::alone();
        let name = "n".repeat(127);
        let many = (0..MOST_READ).take_while(|_| budget.charge(&name, &value).is_ok()).count();
        assert_eq!(many, MOST_READ / (127 + OVERHEAD));
    }

    #[tokio::test]
    async fn what_is_small_is_read_whatever_others_hold_and_what_is_large_waits_for_them() {
        let memory = ValueMemory::default();
        let hogs: Vec<_> = ["a", "a", "b", "c", "d", "e"].map(|namespace| ReadBudget::new(&memory, namespace)).into();
        for hog in &hogs {
            while hog.charge_bytes(4096).is_ok() {}
        }
        let small = ReadBudget::new(&memory, "a");
        assert_eq!(small.charge_bytes(FREE), Ok(()));
        let large = ReadBudget::new(&memory, "a");
        assert_eq!(large.charge_bytes(MOST_READ).unwrap_err().cause, CROWDED);
        assert!(large.was_crowded_out());
        let mut anew = Box::pin(large.anew());
        assert!(futures::poll!(anew.as_mut()).is_pending());
        drop(hogs);
        assert_eq!(anew.await.unwrap().charge_bytes(MOST_READ), Ok(()));
    }
}
