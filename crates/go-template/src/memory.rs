//! The cost of values, counted where they are created, visited and dropped.
//!
//! The constructors of texts, lists and maps count them, per thread, so that no function can forget to.
//! [`Budget`](super::Budget) compares the counts before and after a call.

use std::cell::Cell;

/// The cost of visiting an element of a list or map, in addition to the bytes of a text.
pub(crate) const VISIT: usize = super::budget::BYTES_PER_STEP;

thread_local! {
    /// The bytes that values currently hold.
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// The bytes that were created or visited. Only differences are meaningful.
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// The bytes that all values of this thread hold.
pub(crate) fn held() -> usize {
    HELD.get()
}

/// The bytes of values that this thread has created or visited so far; wraps around.
pub(crate) fn work() -> usize {
    WORK.get()
}

/// Counts visited elements of a list or map.
pub(crate) fn visit(elements: usize) {
    WORK.set(WORK.get().wrapping_add(elements.wrapping_mul(VISIT)));
}

/// Counts bytes of a text that is created, or visited as an element.
pub(crate) fn touch(bytes: usize) {
    WORK.set(WORK.get().wrapping_add(bytes));
}

/// Bytes that count as held until this is dropped.
#[derive(Default)]
pub(crate) struct Share(usize);

impl Share {
    pub(crate) fn new(bytes: usize) -> Self {
        let mut share = Self(0);
        share.set(bytes);
        share
    }

    /// Changes the number of bytes.
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
