//! Remembers published events, as client-go does. A repeated event increments the count of the existing one. If an
//! object keeps publishing different events of one kind, they are combined into one.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Objects that are remembered. The one that has been quiet for longest is forgotten first.
const MOST_OBJECTS: usize = 4_096;
/// Events remembered per object.
const MOST_EVENTS: usize = 16;
/// Different events of one kind after which they are combined.
const SIMILAR: usize = 10;
/// How long an event counts as a continuation of the last one like it.
const WINDOW: Duration = Duration::from_mins(10);

/// The events published so far.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    objects: HashMap<u64, Object>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Object {
    last_used: u64,
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
    pub(super) fn said(&mut self, object: u64, kind: u64, words: u64, now: Instant) -> Said {
        let object = self.object(object);
        let is_combined = object.is_one_of_many(kind, words, now);
        let identity = if is_combined { kind } else { words };
        let earlier = object.written.iter().find(|(other, _)| *other == identity).map(|(_, earlier)| earlier.clone());
        Said { identity, earlier, is_combined }
    }

    /// Remembers an event that was written.
    pub(super) fn wrote(&mut self, object: u64, identity: u64, event: Earlier) {
        let written = &mut self.object(object).written;
        written.retain(|(other, _)| *other != identity);
        if written.len() >= MOST_EVENTS {
            written.pop_front();
        }
        written.push_back((identity, event));
    }

    fn object(&mut self, object: u64) -> &mut Object {
        self.clock += 1;
        if self.objects.len() >= MOST_OBJECTS && !self.objects.contains_key(&object) {
            self.forget_oldest();
        }
        let object = self.objects.entry(object).or_default();
        object.last_used = self.clock;
        object
    }

    /// Forgets a quarter of the objects.
    fn forget_oldest(&mut self) {
        let mut ages: Vec<_> = self.objects.values().map(|object| object.last_used).collect();
        let (_, oldest, _) = ages.select_nth_unstable(MOST_OBJECTS / 4);
        let oldest = *oldest;
        self.objects.retain(|_, object| object.last_used > oldest);
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

    fn say(repeats: &mut Repeats, object: u64, words: u64, now: Instant) -> Said {
        let said = repeats.said(object, 1, words, now);
        let count = said.earlier.as_ref().map_or(0, |earlier| earlier.count) + 1;
        repeats.wrote(object, said.identity, Earlier { name: said.identity.to_string(), count });
        said
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
        assert!(repeats.objects[&1].written.len() <= MOST_EVENTS);
    }

    #[test]
    fn of_too_many_objects_those_are_forgotten_that_were_quiet_for_longest() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for object in 0..10_000 {
            say(&mut repeats, object, 1, now);
            assert!(say(&mut repeats, 0, 1, now).earlier.is_some() || object == 0, "it is not forgotten");
        }
        assert!(repeats.objects.len() <= MOST_OBJECTS);
        assert!(repeats.objects.len() >= MOST_OBJECTS / 2);
    }
}
