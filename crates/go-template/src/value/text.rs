//! Strings of arbitrary bytes.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::memory::{self, Share};

/// A string of arbitrary bytes, as in Go. Clones share it, and it is wiped when the last of them is dropped.
#[derive(Clone)]
pub struct Text(Rc<Stored>);

struct Stored {
    bytes: Zeroizing<Vec<u8>>,
    _share: Share,
}

/// What a text takes in addition to its bytes: counters, pointers, and the allocator's overhead.
pub(crate) const OVERHEAD: usize = 80;

impl Default for Text {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Text {
    fn from(text: &[u8]) -> Self {
        Self::from(text.to_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Self::from(Zeroizing::new(text))
    }
}

impl From<Zeroizing<Vec<u8>>> for Text {
    fn from(text: Zeroizing<Vec<u8>>) -> Self {
        memory::touch(text.len());
        let share = Share::new(text.capacity() + OVERHEAD);
        Self(Rc::new(Stored { bytes: text, _share: share }))
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

/// Prints only the length: the text may be a secret.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.len())
    }
}
