//! Lists and maps. Clones share their content, so a change is visible through all of them.
//!
//! A template can nest them as deeply as it has steps, so nothing here recurses, not even dropping them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::{Text, Type, Value};
use crate::budget::{Budget, Exceeded};
use crate::memory::{self, Share};

/// A slice: a range of an array's elements.
#[derive(Clone)]
pub struct List {
    element: &'static Type,
    is_nil: bool,
    array: Rc<Array>,
    start: usize,
    len: usize,
}

struct Array {
    items: RefCell<Vec<Value>>,
    _share: Share,
}

impl List {
    /// A list of `items` of one type.
    #[must_use]
    pub fn new(element: &'static Type, items: Vec<Value>) -> Self {
        let len = items.len();
        memory::touch(len * size_of::<Value>());
        let share = Share::new(items.capacity() * size_of::<Value>() + LIST_OVERHEAD);
        Self {
            element,
            is_nil: false,
            array: Rc::new(Array { items: RefCell::new(items), _share: share }),
            start: 0,
            len,
        }
    }

    /// A nil slice, which is an empty list that becomes `null` in JSON.
    #[must_use]
    pub fn nil(element: &'static Type) -> Self {
        Self { is_nil: true, ..Self::new(element, Vec::new()) }
    }

    /// Whether it is a nil slice.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        self.is_nil
    }

    /// The type of the elements.
    #[must_use]
    pub const fn element_type(&self) -> &'static Type {
        self.element
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How far the list can be extended by slicing: to the end of its array.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.array.items.borrow().len() - self.start
    }

    /// An element.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Value> {
        let index = Some(index).filter(|index| *index < self.len)?;
        self.array.items.borrow().get(self.start + index).map(looked_at)
    }

    /// The elements, each read when it is requested.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value> + '_ {
        (0..self.len).map(|index| self.get(index).unwrap_or(Value::Nil))
    }

    /// Replaces the first elements by texts.
    pub(crate) fn overwrite(&self, texts: Vec<Text>) {
        let mut array = self.array.items.borrow_mut();
        let places = array.iter_mut().skip(self.start).take(self.len);
        places.zip(texts).for_each(|(place, text)| *place = Value::String(text));
    }

    /// The elements from `start` up to `end`, exclusive, which may be beyond the list's own end; `None` if it is beyond
    /// its capacity.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> Option<Self> {
        let len = end.checked_sub(start).filter(|_| end <= self.capacity())?;
        Some(Self { array: Rc::clone(&self.array), start: self.start + start, len, ..*self })
    }
}

/// A map with string keys, sorted by key.
#[derive(Clone)]
pub struct Map {
    element: &'static Type,
    entries: Rc<Entries>,
}

struct Entries {
    tree: RefCell<BTreeMap<Text, Value>>,
    share: RefCell<Share>,
}

/// What a list takes in addition to its elements.
const LIST_OVERHEAD: usize = 80;

/// What a map takes in addition to its entries.
const MAP_OVERHEAD: usize = 64;

/// The least that the tree of a nonempty map takes, and what it takes per entry: its nodes have room for eleven, about
/// half of which are used.
const MAP_NODE: usize = 11 * (size_of::<Text>() + size_of::<Value>()) + 32;
const MAP_ENTRY: usize = 2 * (size_of::<Text>() + size_of::<Value>());

/// The size in bytes of a map with this many entries, without what they refer to.
pub(crate) fn map_size(entries: usize) -> usize {
    let tree = if entries == 0 { 0 } else { MAP_NODE.max(entries * MAP_ENTRY) };
    tree + MAP_OVERHEAD
}

/// The size in bytes of a list with this many elements, without what they refer to.
pub(crate) const fn list_size(elements: usize) -> usize {
    elements * size_of::<Value>() + LIST_OVERHEAD
}

/// Counts an element as visited, because its text may be read.
fn looked_at(value: &Value) -> Value {
    memory::visit(1);
    if let Value::String(text) | Value::Bytes(text) = value {
        memory::touch(text.len());
    }
    value.clone()
}

/// Why a map cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It would contain itself.
    #[error("a map cannot contain itself")]
    Cycle,
    /// A limit was exceeded.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

impl Map {
    /// An empty map with values of this type.
    #[must_use]
    pub fn new(element: &'static Type) -> Self {
        Self::from_entries(element, BTreeMap::new())
    }

    /// A map with values of this type.
    #[must_use]
    pub fn from_entries(element: &'static Type, entries: BTreeMap<Text, Value>) -> Self {
        memory::touch(map_size(entries.len()));
        let share = RefCell::new(Share::new(map_size(entries.len())));
        Self { element, entries: Rc::new(Entries { tree: RefCell::new(entries), share }) }
    }

    /// The type of the values.
    #[must_use]
    pub const fn element_type(&self) -> &'static Type {
        self.element
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.tree.borrow().len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries.tree.borrow().get(key).map(looked_at)
    }

    /// A copy of all entries.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Text, Value)> {
        let entries = self.entries.tree.borrow();
        let entry = |(key, value): (&Text, &Value)| {
            memory::touch(key.len());
            (key.clone(), looked_at(value))
        };
        entries.iter().map(entry).collect()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// If the map would contain itself: traversing it would never end, and its memory would never be freed. Also if the
    /// budget does not suffice to find that out.
    pub fn set(&self, key: Text, value: Value, budget: &mut Budget) -> Result<(), SetError> {
        if self.is_within(&value, budget)? {
            return Err(SetError::Cycle);
        }
        self.entries.tree.borrow_mut().insert(key, value);
        self.count();
        Ok(())
    }

    /// Removes a key.
    pub fn remove(&self, key: &[u8]) {
        self.entries.tree.borrow_mut().remove(key);
        self.count();
    }

    /// Counts what the map holds now.
    fn count(&self) {
        self.entries.share.borrow_mut().set(map_size(self.len()));
    }

    fn is_within(&self, value: &Value, budget: &mut Budget) -> Result<bool, Exceeded> {
        let mut seen = HashSet::new();
        let mut pending = vec![value.clone()];
        while let Some(value) = pending.pop() {
            match value {
                Value::Map(map) if Rc::ptr_eq(&map.entries, &self.entries) => return Ok(true),
                Value::Map(map) if seen.insert(Rc::as_ptr(&map.entries).cast::<()>()) => {
                    budget.steps(map.len())?;
                    pending.extend(map.entries.tree.borrow().values().filter(|value| value.has_items()).cloned());
                }
                Value::List(list) if seen.insert(Rc::as_ptr(&list.array).cast::<()>()) => {
                    let items = list.array.items.borrow();
                    budget.steps(items.len())?;
                    pending.extend(items.iter().filter(|value| value.has_items()).cloned());
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

impl Value {
    const fn has_items(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        drop_items(std::mem::take(self.items.get_mut()));
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        drop_items(std::mem::take(self.tree.get_mut()).into_values().collect());
    }
}

/// Drops values and their content without recursion.
fn drop_items(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut array) = Rc::into_inner(list.array) {
                    pending.append(array.items.get_mut());
                }
            }
            Value::Map(map) => {
                if let Some(mut entries) = Rc::into_inner(map.entries) {
                    pending.extend(std::mem::take(entries.tree.get_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}
