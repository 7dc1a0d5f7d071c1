//! Whose turn it is: objects are worked on in the order in which they became due, each by one pass at a time.
//!
//! kube's `applier` lets a hash set decide among those that are due. Where more are due than can be worked on, as while a
//! vault is slow, some of them never had their turn.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::Store;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::requeue::Next;
use super::watch::Watched;

/// The longest pause between two passes. A pass that is not needed finds nothing to do.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 30);

/// Works on what `requests` name and on what wants to come back, on `concurrency` objects at once. When the requests end, so
/// does this, after what is in progress.
pub(super) async fn run<K, P>(
    store: Store<K>,
    mut requests: UnboundedReceiver<ReconcileRequest<K>>,
    concurrency: u16,
    pass: impl Fn(Arc<K>) -> P,
) where
    K: Watched,
    P: Future<Output = Next>,
{
    let mut queue = WorkQueue::new();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < usize::from(concurrency)
            && let Some(reference) = queue.begin()
        {
            match store.get(&reference) {
                Some(object) => running.push(pass(object).map(move |next| (reference, next))),
                // It was deleted before its turn came.
                None => queue.end(&reference, Next::OnChange),
            }
        }
        tokio::select! {
            request = requests.next() => match request {
                Some(request) => queue.ask(request.obj_ref),
                None => break,
            },
            Some((reference, next)) = running.next() => queue.end(&reference, next),
            () = queue.until_due() => {}
        }
    }
    while running.next().await.is_some() {}
}

/// What is due, and what will be.
#[derive(Debug)]
struct WorkQueue<K> {
    entries: HashMap<K, Entry>,
    due: VecDeque<K>,
    later: DelayQueue<K>,
}

/// Where an object stands.
#[derive(Debug)]
enum Entry {
    /// It is due at a time.
    Later(Key),
    /// It waits for its turn.
    Due,
    /// It is worked on.
    Running,
    /// It is worked on, and was asked for again meanwhile.
    RunningAskedAgain,
}

impl<K: Clone + Eq + Hash> WorkQueue<K> {
    fn new() -> Self {
        Self { entries: HashMap::new(), due: VecDeque::new(), later: DelayQueue::new() }
    }

    /// An object is due now.
    fn ask(&mut self, key: K) {
        match self.entries.get_mut(&key) {
            Some(Entry::Due | Entry::RunningAskedAgain) => {}
            Some(entry @ Entry::Running) => *entry = Entry::RunningAskedAgain,
            Some(Entry::Later(timer)) => {
                self.later.remove(timer);
                self.push(key);
            }
            None => self.push(key),
        }
    }

    /// The object whose turn it is.
    fn begin(&mut self) -> Option<K> {
        let key = self.due.pop_front()?;
        self.entries.insert(key.clone(), Entry::Running);
        Some(key)
    }

    /// A pass over an object has ended.
    fn end(&mut self, key: &K, next: Next) {
        match (self.entries.remove(key), next) {
            (Some(Entry::RunningAskedAgain), _) | (_, Next::After(Duration::ZERO)) => self.push(key.clone()),
            (_, Next::After(pause)) => {
                let timer = self.later.insert(key.clone(), pause.min(LONGEST_PAUSE));
                self.entries.insert(key.clone(), Entry::Later(timer));
            }
            (_, Next::OnChange) => {}
        }
    }

    /// Waits until another object is due; for ever where none will be.
    async fn until_due(&mut self) {
        let key = poll_fn(|context| match self.later.poll_expired(context) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        });
        let key = key.await;
        self.push(key);
    }

    fn push(&mut self, key: K) {
        self.entries.insert(key.clone(), Entry::Due);
        self.due.push_back(key);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use futures::channel::mpsc;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::reflector::{ObjectRef, store::Writer};
    use kube::runtime::watcher::Event;

    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn store() -> Store<ConfigMap> {
        let mut writer = Writer::default();
        for name in NAMES {
            let mut object = ConfigMap::default();
            object.metadata.name = Some(name.to_owned());
            object.metadata.namespace = Some("n".to_owned());
            writer.apply_watcher_event(&Event::Apply(object));
        }
        writer.as_reader()
    }

    fn request(name: &str) -> ReconcileRequest<ConfigMap> {
        ObjectRef::new(name).within("n").into()
    }

    /// Asks for all, and lets passes go by until the requests are closed after `passes`; gives the names in turn.
    async fn turns(concurrency: u16, passes: usize, next: impl Fn(&str) -> Next) -> Vec<String> {
        let (sender, requests) = mpsc::unbounded();
        for name in NAMES {
            sender.unbounded_send(request(name)).unwrap();
        }
        let turns = RefCell::new(Vec::new());
        run(store(), requests, concurrency, |object| {
            let (turns, next, sender) = (&turns, &next, sender.clone());
            async move {
                turns.borrow_mut().push(object.name_any());
                if turns.borrow().len() >= passes {
                    sender.close_channel();
                }
                tokio::task::yield_now().await;
                next(&object.name_any())
            }
        })
        .await;
        turns.into_inner()
    }

    #[tokio::test]
    async fn where_more_is_due_than_can_be_worked_on_each_has_its_turn() {
        let turns = turns(2, 1000, |_| Next::After(Duration::ZERO)).await;
        let mut counts = BTreeMap::new();
        for name in &turns {
            *counts.entry(name.as_str()).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), NAMES.len());
        // Whose pass ends sooner stands in line again sooner, so not all have equal shares; but nobody is left out.
        let half = 1000 / NAMES.len() / 2;
        assert!(counts.values().all(|count| *count > half), "{counts:?}");
    }

    #[tokio::test]
    async fn an_object_comes_back_after_its_pause() {
        let pause =
            |name: &str| Next::After(if name == "a" { Duration::from_millis(5) } else { Duration::from_hours(1) });
        let turns = turns(1, 10, pause).await;
        assert_eq!(turns, ["a", "b", "c", "d", "e", "a", "a", "a", "a", "a"]);
    }

    #[test]
    fn what_is_asked_for_while_it_is_worked_on_has_one_more_turn() {
        let mut queue = WorkQueue::new();
        queue.ask("a");
        queue.ask("a");
        assert_eq!((queue.begin(), queue.begin()), (Some("a"), None));
        queue.ask("a");
        queue.ask("a");
        assert_eq!(queue.begin(), None, "one pass at a time");
        queue.end(&"a", Next::OnChange);
        assert_eq!((queue.begin(), queue.begin()), (Some("a"), None));
        queue.end(&"a", Next::OnChange);
        assert_eq!(queue.begin(), None);
    }

    #[tokio::test]
    async fn what_is_asked_for_during_its_pause_has_its_turn_at_once_and_only_once() {
        let mut queue = WorkQueue::new();
        queue.ask("a");
        assert_eq!(queue.begin(), Some("a"));
        queue.end(&"a", Next::After(Duration::from_millis(20)));
        assert_eq!(queue.begin(), None);
        queue.ask("a");
        assert_eq!(queue.begin(), Some("a"));
        queue.end(&"a", Next::OnChange);
        let nothing = tokio::time::timeout(Duration::from_millis(100), queue.until_due()).await;
        assert!(nothing.is_err(), "its former time is forgotten");
    }
}
