//! Pieces of documents. Copies are wiped when dropped.

use std::fmt;
use std::ops::Deref;

use zeroize::{Zeroize, Zeroizing};

/// A piece of the document, or a new document that a modifier produced.
#[derive(Clone)]
pub enum Bytes<'d> {
    /// A part of the searched document.
    Borrowed(&'d [u8]),
    /// Produced by the lookup; wiped when dropped.
    Owned(Zeroizing<Vec<u8>>),
}

impl Bytes<'_> {
    /// A copy that does not borrow the document.
    #[must_use]
    pub fn into_owned(self) -> Bytes<'static> {
        Bytes::Owned(match self {
            Self::Borrowed(bytes) => Zeroizing::new(bytes.to_vec()),
            Self::Owned(bytes) => bytes,
        })
    }

    /// The bytes, for a caller that wipes them itself.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Borrowed(bytes) => bytes.to_vec(),
            Self::Owned(mut bytes) => std::mem::take(&mut *bytes),
        }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Prints only the length: the content is part of a secret.
impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.len())
    }
}

/// A document that is being written. Leaves no copy behind when it grows.
#[derive(Default)]
pub(super) struct Output {
    text: Zeroizing<Vec<u8>>,
}

impl Output {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let needed = self.text.len() + bytes.len();
        if needed > self.text.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.text.capacity()).max(64));
            larger.extend_from_slice(&self.text);
            self.text.zeroize();
            *self.text = larger;
        }
        self.text.extend_from_slice(bytes);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.text.truncate(len);
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut u8> {
        self.text.last_mut()
    }

    pub(super) fn finish<'d>(self) -> Bytes<'d> {
        Bytes::Owned(self.text)
    }
}

impl Deref for Output {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}
