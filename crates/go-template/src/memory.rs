//! What values cost, counted where they are made, looked at and dropped.
//!
//! Every text, list and map is counted by its own constructor, for its thread, so that no function
//! that makes or reads one can forget to. [`Budget`](super::Budget) compares the counts before and after.

use std::cell::Cell;

/// What looking at an element of a list or map counts as, besides the bytes of a text.
pub(crate) const VISIT: usize = super::budget::BYTES_PER_STEP;

thread_local! {
    /// The bytes that values hold now.
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// The bytes that were made or looked at. Only differences mean something.
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// The bytes that all values of this thread hold.
pub(crate) fn held() -> usize {
    HELD.get()
}

/// The bytes of values that were made or looked at on this thread so far; starts again when no number
/// holds it.
pub(crate) fn work() -> usize {
    WORK.get()
}

/// Counts elements of a list or map that are looked at.
pub(crate) fn visit(elements: usize) {
    WORK.set(WORK.get().wrapping_add(elements.wrapping_mul(VISIT)));
}

/// Counts bytes of a text that is looked at as an element, or made.
pub(crate) fn touch(bytes: usize) {
    WORK.set(WORK.get().wrapping_add(bytes));
}

/// Bytes that are held from now until it is dropped.
#[derive(Default)]
pub(crate) struct Share(usize);

impl Share {
    pub(crate) fn new(bytes: usize) -> Self {
        let mut share = Self(0);
        share.set(bytes);
        share
    }

    /// Holds so many bytes instead.
    pub(crate) fn set(&mut self, bytes: usize) {
        HELD.set(HELD.get().wrapping_add(bytes).wrapping_sub(self.0));
        self.0 = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
