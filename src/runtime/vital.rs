//! Tasks that the process cannot work without: a watch, or the writer of events. If one of them panicked and only the
//! task ended, the process would look healthy forever. It therefore ends the process, which is then restarted.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::panics::Caught;

/// A bug. The process must restart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} failed, which is a bug; please report it with the log")]
pub struct Failed(String);

/// The tasks that must not fail. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vital(Arc<watch::Sender<Option<Failed>>>);

impl Default for Vital {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Vital {
    /// Starts a task, which may end when it has nothing more to do.
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (failed, name) = (Arc::clone(&self.0), name.into());
        let caught = Caught::new(Box::pin(task));
        tokio::spawn(async move {
            if caught.await.is_err() {
                failed.send_if_modified(|first| first.is_none() && first.replace(Failed(name)).is_none());
            }
        })
    }

    /// Waits until the first of them has failed.
    pub async fn failed(&self) -> Failed {
        let mut failed = self.0.subscribe();
        loop {
            if let Some(failed) = failed.borrow_and_update().clone() {
                return failed;
            }
            // This object owns the sender.
            let _ = failed.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_reported_by_name_and_one_that_ends_is_not() {
        let vital = Vital::default();
        vital.spawn("one that ends", async {}).await.unwrap();
        let mut waiting = Box::pin(vital.failed());
        assert!(futures::poll!(&mut waiting).is_pending());
        vital.spawn("watch of secrets", async { panic!("hunter2") }).await.unwrap();
        vital.spawn("second", async { panic!("hunter2") }).await.unwrap();
        let failed = waiting.await;
        assert_eq!(failed.to_string(), "the watch of secrets failed, which is a bug; please report it with the log");
        assert_eq!(vital.failed().await, failed);
    }
}
