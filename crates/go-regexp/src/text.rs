//! A text as Go's decoder sees it.

use std::ops::Range;

use zeroize::Zeroizing;

/// A text in which each byte that is not UTF-8 is replaced by U+FFFD.
pub(super) struct Text<'t> {
    content: Content<'t>,
    /// The positions at which U+FFFD replaces a byte, ascending.
    replaced: Vec<usize>,
}

enum Content<'t> {
    AsItIs(&'t str),
    Replaced(Zeroizing<String>),
}

impl<'t> Text<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self { content: Content::AsItIs(text), replaced: Vec::new() };
        }
        let invalid: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
        // Of the exact length, so that it does not grow and leave copies behind.
        let replacement = char::REPLACEMENT_CHARACTER.len_utf8();
        let mut text = Zeroizing::new(String::with_capacity(bytes.len() + invalid * (replacement - 1)));
        let mut replaced = Vec::with_capacity(invalid);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for _ in chunk.invalid() {
                replaced.push(text.len());
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Self { content: Content::Replaced(text), replaced }
    }

    pub(super) fn as_str(&self) -> &str {
        match &self.content {
            Content::AsItIs(text) => text,
            Content::Replaced(text) => text,
        }
    }

    /// The bytes of the original that correspond to a range of [`Text::as_str`].
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let original = |at| {
            let before = self.replaced.partition_point(|&replaced| replaced < at);
            at - before * (char::REPLACEMENT_CHARACTER.len_utf8() - 1)
        };
        original(range.start)..original(range.end)
    }
}
