//! Remembers published events, as client-go does. A repeated event increments the count of the existing one. If an
//! object keeps publishing different events of one kind, they are combined into one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::provider::fair_map::FairMap;

/// Objects that are remembered. Of the namespace with the most of them, the one that has been quiet for longest is
/// forgotten first.
const MOST_OBJECTS: usize = 4_096;
/// An event in the cluster lives for an hour.
const KEPT_UNUSED: Duration = Duration::from_hours(1);
/// Events remembered per object.
const MOST_EVENTS: usize = 16;
/// Different events of one kind after which they are combined.
const SIMILAR: usize = 10;
/// How long an event counts as a continuation of the last one like it.
const WINDOW: Duration = Duration::from_mins(10);

/// The events published so far.
#[derive(Debug)]
pub(super) struct Repeats(FairMap<u64, Object>);

impl Default for Repeats {
    fn default() -> Self {
        Self(FairMap::new(MOST_OBJECTS, KEPT_UNUSED))
    }
}

/// An object that publishes events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub(super) namespace: &'a Arc<str>,
    /// A hash of the object, and of what reports it.
    pub(super) hash: u64,
}

#[derive(Debug, Default)]
struct Object {
    /// By the hash that identifies equal events, oldest first.
    written: VecDeque<(u64, Earlier)>,
    similar: Vec<Similar>,
}

/// Events with the same severity and reason.
#[derive(Debug)]
struct Similar {
    kind: u64,
    words: VecDeque<u64>,
    last: Instant,
}

/// An event written earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) name: String,
    /// How often it has happened.
    pub(super) count: i32,
}

/// How to publish an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The same for equal events.
    pub(super) identity: u64,
    /// The existing event to update, if any.
    pub(super) earlier: Option<Earlier>,
    /// Whether it stands for several different events.
    is_combined: bool,
}

impl Said {
    /// The event's note.
    pub(super) fn note(&self, note: &str) -> String {
        if self.is_combined { format!("(combined from similar events): {note}") } else { note.to_owned() }
    }
}

impl Repeats {
    /// Decides how to publish an event of an object: `words` is the same for equal events, `kind` for similar ones.
    pub(super) fn said(&mut self, speaker: Speaker<'_>, kind: u64, words: u64, now: Instant) -> Said {
        self.with(speaker, now, |object| {
            let is_combined = object.is_one_of_many(kind, words, now);
            let identity = if is_combined { kind } else { words };
            let earlier = object.written.iter().find(|(other, _)| *other == identity);
            Said { identity, earlier: earlier.map(|(_, earlier)| earlier.clone()), is_combined }
        })
    }

    /// Remembers an event that was written.
    pub(super) fn wrote(&mut self, speaker: Speaker<'_>, identity: u64, event: Earlier, now: Instant) {
        self.with(speaker, now, |object| {
            object.written.retain(|(other, _)| *other != identity);
            if object.written.len() >= MOST_EVENTS {
                object.written.pop_front();
            }
            object.written.push_back((identity, event));
        });
    }

    fn with<T>(&mut self, speaker: Speaker<'_>, now: Instant, use_: impl FnOnce(&mut Object) -> T) -> T {
        let mut object = self.0.remove(&speaker.hash).unwrap_or_default();
        let result = use_(&mut object);
        self.0.insert(speaker.namespace, speaker.hash, object, now);
        result
    }
}

impl Object {
    fn is_one_of_many(&mut self, kind: u64, words: u64, now: Instant) -> bool {
        self.similar.retain(|similar| now.saturating_duration_since(similar.last) <= WINDOW);
        let Some(similar) = self.similar.iter_mut().find(|similar| similar.kind == kind) else {
            self.similar.push(Similar { kind, words: VecDeque::from([words]), last: now });
            return false;
        };
        similar.last = now;
        if !similar.words.contains(&words) {
            similar.words.push_back(words);
        }
        let is_one_of_many = similar.words.len() >= SIMILAR;
        if is_one_of_many {
            similar.words.pop_front();
        }
        is_one_of_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say_in(namespace: &str, repeats: &mut Repeats, object: u64, words: u64, now: Instant) -> Said {
        let speaker = Speaker { namespace: &namespace.into(), hash: object };
        let said = repeats.said(speaker, 1, words, now);
        let count = said.earlier.as_ref().map_or(0, |earlier| earlier.count) + 1;
        repeats.wrote(speaker, said.identity, Earlier { name: said.identity.to_string(), count }, now);
        said
    }

    fn say(repeats: &mut Repeats, object: u64, words: u64, now: Instant) -> Said {
        say_in("shop", repeats, object, words, now)
    }

    #[test]
    fn what_is_repeated_is_counted() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for count in 0..100 {
            let said = say(&mut repeats, 1, 7, now);
            assert_eq!(said.earlier.map_or(0, |earlier| earlier.count), count);
            assert!(!said.is_combined);
        }
    }

    #[test]
    fn the_tenth_of_what_is_similar_is_combined_until_it_was_quiet_for_ten_minutes() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let combined = |repeats: &mut Repeats, words: std::ops::Range<u64>, now| {
            words.filter(|words| say(repeats, 1, 100 + words, now).is_combined).count()
        };
        assert_eq!(combined(&mut repeats, 0..9, now), 0);
        assert_eq!(combined(&mut repeats, 9..1_000, now), 991);
        assert_eq!(say(&mut repeats, 1, 5_000, now).note("it is new"), "(combined from similar events): it is new");
        assert_eq!(combined(&mut repeats, 2_000..2_009, now + Duration::from_mins(11)), 0);
        assert!(repeats.0.get(&1, now).unwrap().written.len() <= MOST_EVENTS);
    }

    #[test]
    fn of_too_many_objects_those_are_forgotten_that_were_quiet_for_longest() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for object in 0..10_000 {
            say(&mut repeats, object, 1, now);
            assert!(say(&mut repeats, 0, 1, now).earlier.is_some() || object == 0, "it is not forgotten");
        }
        assert_eq!(repeats.0.len(), MOST_OBJECTS);
    }

    #[test]
    fn a_namespace_with_very_many_objects_does_not_make_those_of_others_forgotten() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        say_in("quiet", &mut repeats, 0, 1, now);
        for object in 1..10_000 {
            say_in("loud", &mut repeats, object, 1, now);
        }
        assert!(say_in("quiet", &mut repeats, 0, 1, now).earlier.is_some());
    }
}
