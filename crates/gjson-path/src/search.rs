//! The stage of a path that follows keys, indexes and queries into a document.

use super::budget::{Budget, TooComplex};
use super::bytes::{Bytes, Output};
use super::eval::{self, Stage};
use super::path::{self, ArrayStep, Elements, Key, ObjectStep, Rest};
use super::query::Query;
use super::scan::{self, Element, Member, Span};
use super::value::{Kind, Value};
use super::{pattern, strings};

/// Follows keys and indexes into `document`, up to the first pipe.
pub(super) fn search<'d, 'p>(
    document: &'d [u8],
    path: &'p [u8],
    budget: &mut Budget,
) -> Result<Stage<'d, 'p>, TooComplex> {
    let mut search = Search { json: document, found: None, pipe: None, budget };
    if let [b'.', b'.', lines @ ..] = path {
        // JSON lines: the document is treated as the content of an array.
        search.array(0, lines)?;
    } else if let Some(open) = document.iter().position(|byte| matches!(byte, b'{' | b'[')) {
        search.container(open, path)?;
    }
    Ok(match search.pipe {
        Some(pipe) => Stage::Next(search.found.map_or(Bytes::Borrowed(b""), Value::into_raw), pipe),
        None => Stage::Found(search.found),
    })
}

/// A search in one document.
struct Search<'d, 'p, 'b> {
    json: &'d [u8],
    /// What has been found so far. It may be set although the search continues: a query for all elements does not end
    /// it, and the value of a later, equal key may replace it.
    found: Option<Value<'d>>,
    /// The rest of the path after a pipe, when the step before the pipe has been reached.
    pipe: Option<&'p [u8]>,
    budget: &'b mut Budget,
}

/// How the search continues.
enum Flow {
    /// It is done.
    Stop,
    /// It continues at this position of the document.
    GoOn(usize),
}

/// What to do with a value on the way.
#[derive(Clone, Copy)]
enum Target<'p> {
    Skip,
    /// Take it as the result.
    Take,
    /// Enter it with this path.
    Enter(&'p [u8]),
}

impl<'d, 'p> Search<'d, 'p, '_> {
    /// Searches the object or array that opens at `open`.
    fn container(&mut self, open: usize, path: &'p [u8]) -> Result<Flow, TooComplex> {
        self.budget.descend()?;
        self.budget.read(path.len())?;
        let flow =
            if self.json.get(open) == Some(&b'{') { self.object(open + 1, path) } else { self.array(open + 1, path) }?;
        self.budget.ascend();
        Ok(flow)
    }

    fn object(&mut self, start: usize, path: &'p [u8]) -> Result<Flow, TooComplex> {
        let step = ObjectStep::parse(path);
        let target = self.target(step.rest);
        let mut i = start;
        loop {
            let (key, end) = match scan::member(self.json, i) {
                Member::Key { start, end } => (self.json.get(start..end).unwrap_or_default(), end),
                Member::Close { next } => return Ok(Flow::GoOn(next)),
                Member::End => return Ok(Flow::GoOn(self.json.len())),
            };
            let target = if self.is_named(&step.key, key)? { target } else { Target::Skip };
            let Some(value) = scan::value_start(self.json, end + 1) else {
                return Ok(Flow::GoOn(self.json.len()));
            };
            match self.visit(value, target)? {
                Flow::GoOn(next) => i = next,
                Flow::Stop => return Ok(Flow::Stop),
            }
        }
    }

    fn is_named(&mut self, wanted: &Key<'_>, key: &[u8]) -> Result<bool, TooComplex> {
        let key = strings::decode(key);
        match wanted {
            Key::Exactly(name) => Ok(**name == *key),
            Key::Matching(name) => pattern::matches(&key, name, self.budget),
        }
    }

    fn array(&mut self, start: usize, path: &'p [u8]) -> Result<Flow, TooComplex> {
        let step = ArrayStep::parse(path);
        let target = self.target(step.rest);
        match step.elements {
            Elements::Index(index) => self.element(start, index, target),
            Elements::Count => Ok(self.count(start)),
            Elements::Each(path) => self.each(start, path),
            Elements::First(query) => self.first(start, &query, target),
            Elements::All(query) => self.all(start, &query, target),
            Elements::None => {
                let mut elements = ElementSpans::new(self.json, start);
                elements.by_ref().for_each(drop);
                Ok(elements.flow())
            }
        }
    }

    /// What to do with a value that a step names. Remembers the pipe after the step.
    fn target(&mut self, rest: Rest<'p>) -> Target<'p> {
        match rest {
            Rest::Inside(path) => Target::Enter(path),
            Rest::End => Target::Take,
            Rest::Pipe(path) => {
                self.pipe = Some(path);
                Target::Take
            }
        }
    }

    fn visit(&mut self, start: usize, target: Target<'p>) -> Result<Flow, TooComplex> {
        if let Target::Enter(path) = target
            && matches!(self.json.get(start), Some(b'{' | b'['))
        {
            return self.container(start, path);
        }
        let Some(span) = scan::value_at(self.json, start) else { return Ok(Flow::GoOn(self.json.len() + 1)) };
        if matches!(target, Target::Take) {
            self.found = Some(span.value(self.json));
            return Ok(Flow::Stop);
        }
        Ok(Flow::GoOn(span.next))
    }

    /// `2`
    fn element(&mut self, start: usize, wanted: u64, target: Target<'p>) -> Result<Flow, TooComplex> {
        let mut i = start;
        for index in 0.. {
            let value = match scan::element(self.json, i) {
                Element::At(at) => at,
                Element::Close { next } => return Ok(Flow::GoOn(next)),
                Element::Broken => break,
            };
            match self.visit(value, if index == wanted { target } else { Target::Skip })? {
                Flow::GoOn(next) => i = next,
                Flow::Stop => return Ok(Flow::Stop),
            }
        }
        Ok(Flow::GoOn(self.json.len() + 1))
    }

    /// `#`
    fn count(&mut self, start: usize) -> Flow {
        let mut elements = ElementSpans::new(self.json, start);
        let count = elements.by_ref().count();
        if elements.close.is_none() {
            return elements.flow();
        }
        self.found = Some(Value::new(Kind::Number, Bytes::Owned(count.to_string().into_bytes().into())));
        Flow::Stop
    }

    /// `#.path`
    fn each(&mut self, start: usize, path: &'p [u8]) -> Result<Flow, TooComplex> {
        let mut elements = ElementSpans::new(self.json, start);
        let mut spans: Vec<Span> = elements.by_ref().collect();
        if elements.close.is_none() {
            return Ok(elements.flow());
        }
        spans.extend(self.after_last_comma(elements.at));
        let path = self.split_pipe(path)?;
        let mut output = Output::default();
        self.budget.write(&mut output, b"[")?;
        for span in spans {
            if let Some(value) = eval::get(span.raw(self.json), path, self.budget)? {
                self.append(&mut output, &value)?;
            }
        }
        self.found = Some(self.list(output)?);
        Ok(Flow::Stop)
    }

    /// As in Go, after a comma before the closing bracket, the next value anywhere counts.
    fn after_last_comma(&self, end_of_last: usize) -> Option<Span> {
        let rest = self.json.get(end_of_last..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        if matches!(rest.get(blanks), None | Some(b']')) {
            return None;
        }
        scan::next_value(self.json, end_of_last + blanks)
    }

    /// `#(...)`
    fn first(&mut self, start: usize, query: &Query<'_>, target: Target<'p>) -> Result<Flow, TooComplex> {
        let mut elements = ElementSpans::new(self.json, start);
        for span in elements.by_ref() {
            if self.satisfies(span, query)? {
                self.found = self.result(span, target)?;
                return Ok(Flow::Stop);
            }
        }
        Ok(elements.flow())
    }

    /// `#(...)#`
    fn all(&mut self, start: usize, query: &Query<'_>, target: Target<'p>) -> Result<Flow, TooComplex> {
        let mut output = Output::default();
        self.budget.write(&mut output, b"[")?;
        let mut elements = ElementSpans::new(self.json, start);
        for span in elements.by_ref() {
            if self.satisfies(span, query)?
                && let Some(value) = self.result(span, target)?
            {
                self.append(&mut output, &value)?;
            }
        }
        if elements.close.is_some() && self.found.is_none() {
            self.found = Some(self.list(output)?);
        }
        Ok(elements.flow())
    }

    fn satisfies(&mut self, element: Span, query: &Query<'_>) -> Result<bool, TooComplex> {
        let value = match element.kind {
            Kind::Json => eval::get(element.raw(self.json), query.path, self.budget)?,
            _ if query.path.is_empty() => Some(element.value(self.json)),
            _ => return Ok(false),
        };
        query.matches(value.as_ref(), self.budget)
    }

    /// What the path finds in an element that a query selected.
    fn result(&mut self, element: Span, target: Target<'p>) -> Result<Option<Value<'d>>, TooComplex> {
        match target {
            Target::Enter(path) => {
                let path = self.split_pipe(path)?;
                eval::get(element.raw(self.json), path, self.budget)
            }
            Target::Take | Target::Skip => Ok(Some(element.value(self.json))),
        }
    }

    /// The part of `path` that applies to each element. Remembers the pipe after it, which applies to the list.
    fn split_pipe(&mut self, path: &'p [u8]) -> Result<&'p [u8], TooComplex> {
        self.budget.read(path.len())?;
        let Some((each, pipe)) = path::split_pipe(path) else { return Ok(path) };
        self.pipe = Some(pipe);
        Ok(each)
    }

    fn append(&mut self, list: &mut Output, value: &Value<'_>) -> Result<(), TooComplex> {
        if list.len() > 1 {
            self.budget.write(list, b",")?;
        }
        self.budget.write(list, value.raw())
    }

    fn list(&mut self, mut list: Output) -> Result<Value<'d>, TooComplex> {
        self.budget.write(&mut list, b"]")?;
        Ok(Value::new(Kind::Json, list.finish()))
    }
}

/// Iterates over the elements of an array.
struct ElementSpans<'d> {
    json: &'d [u8],
    /// Where the search for the next element begins.
    at: usize,
    /// The position after the end of the array, if it has one; set at the end.
    close: Option<usize>,
}

impl<'d> ElementSpans<'d> {
    const fn new(json: &'d [u8], start: usize) -> Self {
        Self { json, at: start, close: None }
    }

    /// How the search continues after the last element.
    fn flow(&self) -> Flow {
        Flow::GoOn(self.close.unwrap_or(self.json.len() + 1))
    }
}

impl Iterator for ElementSpans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        match scan::element(self.json, self.at) {
            Element::At(start) => {
                let span = scan::value_at(self.json, start)?;
                self.at = span.next;
                Some(span)
            }
            Element::Close { next } => {
                self.close = Some(next);
                None
            }
            Element::Broken => None,
        }
    }
}
