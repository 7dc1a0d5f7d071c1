//! `*`, `+`, `?` and `{n,m}`.

use super::{Error, ErrorKind, Flags, Item, Translator};

/// Go's limit for a count, and for the product of nested ones.
const MAX_REPEAT: usize = 1000;
/// The deepest nesting of groups and repetitions together.
const MAX_HEIGHT: usize = 200;

/// The count of a repetition.
#[derive(Clone, Copy)]
struct Count {
    min: usize,
    max: Option<usize>,
}

impl Count {
    fn is_valid(self) -> bool {
        self.min <= MAX_REPEAT && self.max.is_none_or(|max| max <= MAX_REPEAT && self.min <= max)
    }

    /// The highest count, as Go's limit counts it.
    fn times(self, inner: usize) -> usize {
        match self.max {
            Some(max) => max * inner,
            None => self.min.max(1) * inner,
        }
    }
}

impl<'p> Translator<'p> {
    /// Parses a repetition of the last of `items`; `last` is the beginning of a repetition that ended right before.
    /// Returns whether there was one: a brace that is not part of a count is literal.
    pub(super) fn repeat(&mut self, items: &mut Vec<Item>, last: Option<&'p str>) -> Result<bool, Error> {
        let start = self.rest;
        let mut counted = None;
        let operator = if start.starts_with('{') {
            let Some((count, rest)) = count(start) else {
                self.skip(1);
                items.push(self.literal('{'));
                return Ok(false);
            };
            self.rest = rest;
            counted = Some(count);
            if !count.is_valid() {
                return Err(Error::new(ErrorKind::InvalidRepeat, self.since(start)));
            }
            match (count.min, count.max) {
                (min, None) => format!("{{{min},}}"),
                (min, Some(max)) => format!("{{{min},{max}}}"),
            }
        } else {
            self.skip(1);
            self.since(start).to_owned()
        };
        let mut lazy = self.flags.has(Flags::SWAP_GREED);
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            lazy = !lazy;
        }
        if let Some(last) = last {
            return Err(Error::new(ErrorKind::NestedRepeat, self.since(last)));
        }
        let Some(item) = items.pop() else {
            return Err(Error::new(ErrorKind::MissingArgument, self.since(start)));
        };
        let repeats = counted.map_or(item.repeats, |count| count.times(item.repeats));
        if repeats > MAX_REPEAT {
            return Err(Error::new(ErrorKind::InvalidRepeat, self.since(start)));
        }
        if item.height >= MAX_HEIGHT {
            return Err(Error::new(ErrorKind::TooDeep, self.pattern));
        }
        let (open, close) = if item.is_repeat { ("(?:", ")") } else { ("", "") };
        let copies = counted.map_or(1, |count| count.max.unwrap_or(count.min + 1).max(1));
        // Of the operators without a count, only `?` has a limit.
        let most = counted.map_or_else(|| operator.starts_with('?').then_some(1), |count| count.max);
        items.push(Item {
            longest: item.longest.zip(most).map(|(longest, most)| longest.saturating_mul(most)),
            text: format!("{open}{}{close}{operator}{}", item.text, if lazy { "?" } else { "" }),
            size: item.size.saturating_mul(copies).saturating_add(2),
            repeats,
            height: item.height + 1,
            is_repeat: true,
        });
        Ok(true)
    }
}

/// Parses `{n}`, `{n,}` or `{n,m}`.
fn count(text: &str) -> Option<(Count, &str)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => number(rest).map(|(max, rest)| (Some(max), rest))?,
    };
    Some((Count { min, max }, rest.strip_prefix('}')?))
}

/// Parses a number without leading zeros. Of a number that is too large, only that is known.
fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let plain = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    plain.then(|| (digits.parse().unwrap_or(usize::MAX), rest))
}
