//! Events waiting to be written. Namespaces take turns; when the queue is full, the namespace with the most events
//! loses its newest.

use std::collections::{HashMap, VecDeque};

use super::notice::Notice;

/// The most bytes that may wait. Little is lost with a dropped event: the status says the same.
const MOST_BYTES: usize = 8 << 20;
/// Roughly what an event takes besides its note.
const BASE_BYTES: usize = 400;

/// Events waiting to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<String, Lane>,
    /// The namespaces in the order of their turns, each listed once.
    turns: VecDeque<String>,
    bytes: usize,
}

/// The events of one namespace.
#[derive(Debug, Default)]
struct Lane {
    notices: VecDeque<Notice>,
    bytes: usize,
}

const fn size(notice: &Notice) -> usize {
    BASE_BYTES + notice.note.len()
}

impl Queue {
    /// Adds an event. Returns how many were dropped to make room.
    pub(super) fn push(&mut self, notice: Notice) -> u64 {
        let namespace = notice.object.namespace.clone().unwrap_or_default();
        let size = size(&notice);
        if !self.lanes.contains_key(&namespace) {
            self.turns.push_back(namespace.clone());
        }
        let lane = self.lanes.entry(namespace).or_default();
        lane.notices.push_back(notice);
        lane.bytes += size;
        self.bytes += size;
        let mut dropped = 0;
        while self.bytes > MOST_BYTES {
            self.drop_one();
            dropped += 1;
        }
        dropped
    }

    /// Drops the newest event of the namespace with the most.
    fn drop_one(&mut self) {
        let Some((namespace, lane)) = self.lanes.iter_mut().max_by_key(|(_, lane)| lane.bytes) else { return };
        let size = lane.notices.pop_back().as_ref().map_or(0, size);
        lane.bytes -= size;
        self.bytes -= size;
        if lane.notices.is_empty() {
            let namespace = namespace.clone();
            self.turns.retain(|turn| *turn != namespace);
            self.lanes.remove(&namespace);
        }
    }

    /// Takes the next event.
    pub(super) fn pop(&mut self) -> Option<Notice> {
        let namespace = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&namespace)?;
        let notice = lane.notices.pop_front()?;
        lane.bytes -= size(&notice);
        self.bytes -= size(&notice);
        if lane.notices.is_empty() {
            self.lanes.remove(&namespace);
        } else {
            self.turns.push_back(namespace);
        }
        Some(notice)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::super::notice::Severity;
    use super::*;

    fn notice(namespace: &str, note: &str) -> Notice {
        Notice {
            component: "external-secrets",
            severity: Severity::Normal,
            reason: "Updated",
            note: note.to_owned(),
            object: ObjectReference { namespace: Some(namespace.to_owned()), ..ObjectReference::default() },
        }
    }

    #[test]
    fn namespaces_take_turns() {
        let mut queue = Queue::default();
        for number in 0..1_000 {
            assert_eq!(queue.push(notice("loud", &number.to_string())), 0);
        }
        queue.push(notice("quiet", "a"));
        let first: Vec<_> = (0..4).map(|_| queue.pop().unwrap().note).collect();
        assert_eq!(first, ["0", "a", "1", "2"]);
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), 997);
        assert_eq!((queue.bytes, queue.lanes.len(), queue.turns.len()), (0, 0, 0));
    }

    #[test]
    fn a_flood_of_one_namespace_drops_its_own_events_alone() {
        let mut queue = Queue::default();
        queue.push(notice("quiet", "first"));
        let dropped: u64 = (0..20_000).map(|_| queue.push(notice("loud", &"x".repeat(1_024)))).sum();
        queue.push(notice("quiet", "second"));
        assert!(dropped > 10_000 && queue.bytes <= MOST_BYTES, "{dropped}");
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let quiet = left.iter().filter(|notice| notice.object.namespace.as_deref() == Some("quiet"));
        assert_eq!(quiet.map(|notice| &*notice.note).collect::<Vec<_>>(), ["first", "second"]);
        assert!(left.iter().take(4).any(|notice| notice.note == "second"));
    }
}
