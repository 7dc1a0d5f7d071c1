//! Changes of a text that leave all the rest of it as it is.

use std::ops::Range;

/// Bytes that are replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Edit {
    /// Which, as start and end.
    start: usize,
    end: usize,
    /// By what.
    with: String,
}

impl Edit {
    /// Replaces a range of bytes.
    pub(in crate::cli) fn new(range: Range<usize>, with: impl Into<String>) -> Self {
        Self { start: range.start, end: range.end, with: with.into() }
    }

    /// The same in a text of which this one is a part that begins at `offset`.
    pub(in crate::cli) fn moved_by(self, offset: usize) -> Self {
        Self { start: self.start + offset, end: self.end + offset, ..self }
    }
}

/// The text with edits made. One that overlaps another is left out.
pub(in crate::cli) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort();
    edits.dedup();
    let (mut edited, mut done) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        let Some(before) = text.get(done..edit.start).filter(|_| text.is_char_boundary(edit.end)) else { continue };
        edited.push_str(before);
        edited.push_str(&edit.with);
        done = edit.end;
    }
    edited.push_str(text.get(done..).unwrap_or_default());
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_text_stays_and_no_byte_is_replaced_twice() {
        let edits = vec![Edit::new(4..5, "B"), Edit::new(0..1, "AA"), Edit::new(0..1, "AA"), Edit::new(4..6, "X")];
        assert_eq!(apply("a - b - c", edits), "AA - B - c");
        assert_eq!(apply("ü", vec![Edit::new(1..2, "x"), Edit::new(5..9, "x")]), "ü");
    }
}
