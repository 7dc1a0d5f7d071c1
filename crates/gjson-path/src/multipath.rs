//! Multipaths, `{name:path,...}` and `[path,...]`, which build a new document from several paths.

use super::budget::{Budget, TooComplex};
use super::bytes::{Bytes, Output};
use super::{eval, scan, strings, valid};

/// A multipath at the start of a path.
pub(super) struct Multipath<'p> {
    shape: Shape,
    selectors: Vec<Selector<'p>>,
}

/// What a multipath builds.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Object,
    Array,
}

struct Selector<'p> {
    /// The text before the colon, including quotes; may be empty.
    name: &'p [u8],
    path: &'p [u8],
}

impl<'p> Multipath<'p> {
    /// Whether `path` begins with a multipath.
    pub(super) fn starts(path: &[u8]) -> bool {
        matches!(path, [b'{' | b'[', _, ..])
    }

    /// Parses the multipath at the start of `path`. Returns it and the rest; `None` if it is not closed.
    pub(super) fn parse(path: &'p [u8]) -> Option<(Self, &'p [u8])> {
        let shape = if path.first() == Some(&b'{') { Shape::Object } else { Shape::Array };
        let mut splitter = Splitter { path, start: 1, colon: None, in_modifier: false, selectors: Vec::new() };
        let mut depth = 1_usize;
        let mut i = 1;
        loop {
            match *path.get(i)? {
                b'\\' => i += 1,
                b'@' if matches!(path.get(i - 1), Some(b'.' | b'|')) => splitter.in_modifier = true,
                b':' if depth == 1 && !splitter.in_modifier && splitter.colon.is_none() => splitter.colon = Some(i),
                b',' if depth == 1 => splitter.push(i),
                b'"' => i = scan::string_end(path, i + 1)? - 1,
                b'[' | b'(' | b'{' => depth += 1,
                b']' | b')' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        splitter.push(i);
                        let rest = path.get(i + 1..)?;
                        return Some((Self { shape, selectors: splitter.selectors }, rest));
                    }
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// Builds the new document. Paths that find nothing are left out.
    pub(super) fn build<'d>(&self, document: &[u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
        let (open, close): (&[u8], &[u8]) = match self.shape {
            Shape::Object => (b"{", b"}"),
            Shape::Array => (b"[", b"]"),
        };
        let mut output = Output::default();
        budget.write(&mut output, open)?;
        for selector in &self.selectors {
            let Some(value) = eval::get(document, selector.path, budget)? else { continue };
            if output.len() > 1 {
                budget.write(&mut output, b",")?;
            }
            if self.shape == Shape::Object {
                selector.write_name(&mut output, budget)?;
                budget.write(&mut output, b":")?;
            }
            budget.write(&mut output, value.raw())?;
        }
        budget.write(&mut output, close)?;
        Ok(output.finish())
    }
}

impl Selector<'_> {
    fn write_name(&self, output: &mut Output, budget: &mut Budget) -> Result<(), TooComplex> {
        if self.name.first() == Some(&b'"') && valid::is_valid(self.name) {
            return budget.write(output, self.name);
        }
        let name = match self.name {
            [] => implied_name(self.path),
            name => name,
        };
        budget.write(output, &strings::quote(name))
    }
}

/// The last key of a path, or `_` if that is not a plain key.
fn implied_name(path: &[u8]) -> &[u8] {
    let separates = |i: usize| matches!(path.get(i), Some(b'.' | b'|')) && (i == 0 || path.get(i - 1) != Some(&b'\\'));
    let start = (0..path.len()).rev().find(|&i| separates(i)).map_or(0, |i| i + 1);
    let name = path.get(start..).unwrap_or_default();
    let special = |byte: &u8| *byte < b' ' || b"[]{}()#|!".contains(byte);
    if name.iter().any(special) { b"_" } else { name }
}

/// Collects selectors while a multipath is parsed.
struct Splitter<'p> {
    path: &'p [u8],
    start: usize,
    colon: Option<usize>,
    /// Inside a modifier, where a colon belongs to the argument.
    in_modifier: bool,
    selectors: Vec<Selector<'p>>,
}

impl Splitter<'_> {
    fn push(&mut self, end: usize) {
        let (name, from) = match self.colon {
            Some(colon) => (self.path.get(self.start..colon).unwrap_or_default(), colon + 1),
            None => (&[] as &[u8], self.start),
        };
        let path = self.path.get(from..end).unwrap_or_default();
        self.selectors.push(Selector { name, path });
        self.start = end + 1;
        self.colon = None;
        self.in_modifier = false;
    }
}
