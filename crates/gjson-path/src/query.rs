//! Queries, `#(name=="x")`, which select the elements of an array with which a path continues.

use super::budget::{Budget, TooComplex};
use super::bytes::Bytes;
use super::number;
use super::pattern;
use super::scan::{string_end, trim};
use super::strings;
use super::value::{Kind, Value};

/// The content of a query's brackets.
pub(super) struct Query<'p> {
    /// The path in each element to the value that is compared; empty for the element itself.
    pub(super) path: &'p [u8],
    operator: Operator,
    operand: Operand<'p>,
}

enum Operator {
    /// None: the value must exist.
    Exists,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
    /// A lone `!`, which nothing satisfies.
    Nothing,
}

enum Operand<'p> {
    Text(Bytes<'p>),
    /// `~true`, `~false`, `~null`, `~*`: how the value is converted to a boolean, which is then compared with true.
    Is(Trait),
    /// A tilde followed by anything else, which nothing satisfies.
    Unknown,
}

enum Trait {
    Existing,
    Null,
    True,
    False,
}

impl<'p> Query<'p> {
    /// Parses the query at the start of `text`, which begins with `#(` or `#[`. Returns it and its length; `None` if
    /// brackets or quotes are not closed.
    pub(super) fn parse(text: &'p [u8]) -> Option<(Self, usize)> {
        let outline = outline(text)?;
        let inside = text.get(2..outline.end)?;
        let query = match outline.operator {
            None => {
                Self { path: trim(inside), operator: Operator::Exists, operand: Operand::Text(Bytes::Borrowed(b"")) }
            }
            Some(at) => {
                let (path, comparison) = (text.get(2..at)?, text.get(at..outline.end)?);
                let (operator, operand) = Operator::split(trim(comparison));
                Self { path: trim(path), operator, operand: Operand::parse(operand, outline.has_escapes) }
            }
        };
        Some((query, outline.end + 1))
    }

    /// A query without an end, which every element satisfies.
    pub(super) const fn unfinished() -> Self {
        Self { path: b"", operator: Operator::Exists, operand: Operand::Text(Bytes::Borrowed(b"")) }
    }

    /// Whether `value`, which [`Query::path`] found in an element, satisfies the query.
    pub(super) fn matches(&self, value: Option<&Value<'_>>, budget: &mut Budget) -> Result<bool, TooComplex> {
        let operand = match &self.operand {
            Operand::Unknown => return Ok(false),
            Operand::Is(wanted) => return Ok(self.matches_boolean(wanted.holds(value), b"true")),
            Operand::Text(text) => text,
        };
        let Some(value) = value else { return Ok(false) };
        if matches!(self.operator, Operator::Exists) {
            return Ok(true);
        }
        match value.kind() {
            Kind::String => self.matches_text(&value.text(), operand, budget),
            Kind::Number => Ok(self.matches_number(value.number(), number::parse(operand))),
            Kind::True => Ok(self.matches_boolean(true, operand)),
            Kind::False => Ok(self.matches_boolean(false, operand)),
            Kind::Null | Kind::Json => Ok(false),
        }
    }

    fn matches_text(&self, text: &[u8], operand: &[u8], budget: &mut Budget) -> Result<bool, TooComplex> {
        Ok(match self.operator {
            Operator::Exists => true,
            Operator::Equal => text == operand,
            Operator::NotEqual => text != operand,
            Operator::Less => text < operand,
            Operator::LessOrEqual => text <= operand,
            Operator::Greater => text > operand,
            Operator::GreaterOrEqual => text >= operand,
            Operator::Like => pattern::matches(text, operand, budget)?,
            Operator::NotLike => !pattern::matches(text, operand, budget)?,
            Operator::Nothing => false,
        })
    }

    #[allow(clippy::float_cmp, reason = "numbers are equal where Go finds them equal")]
    fn matches_number(&self, number: f64, operand: f64) -> bool {
        match self.operator {
            Operator::Exists => true,
            Operator::Equal => number == operand,
            Operator::NotEqual => number != operand,
            Operator::Less => number < operand,
            Operator::LessOrEqual => number <= operand,
            Operator::Greater => number > operand,
            Operator::GreaterOrEqual => number >= operand,
            Operator::Like | Operator::NotLike | Operator::Nothing => false,
        }
    }

    /// Orders `false` before `true`. An operand that is neither is only unequal, except that every boolean is at most,
    /// and at least, itself.
    fn matches_boolean(&self, value: bool, operand: &[u8]) -> bool {
        let (own, other): (&[u8], &[u8]) = if value { (b"true", b"false") } else { (b"false", b"true") };
        match self.operator {
            Operator::Exists => true,
            Operator::Equal => operand == own,
            Operator::NotEqual => operand != own,
            Operator::Less => !value && operand == other,
            Operator::LessOrEqual => !value,
            Operator::Greater => value && operand == other,
            Operator::GreaterOrEqual => value,
            Operator::Like | Operator::NotLike | Operator::Nothing => false,
        }
    }
}

/// The positions of a query's parts.
struct Outline {
    /// The position of its closing bracket.
    end: usize,
    /// The position of its operator.
    operator: Option<usize>,
    /// Whether it has a quoted string with a backslash.
    has_escapes: bool,
}

fn outline(text: &[u8]) -> Option<Outline> {
    let mut found = Outline { end: 2, operator: None, has_escapes: false };
    let mut depth = 1_usize;
    loop {
        let i = found.end;
        match *text.get(i)? {
            b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && found.operator.is_none() => found.operator = Some(i),
            b'\\' => found.end += 1,
            b'[' | b'(' => depth += 1,
            b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(found);
                }
            }
            b'"' => {
                found.end = string_end(text, i + 1)? - 1;
                found.has_escapes |= text.get(i..found.end)?.contains(&b'\\');
            }
            _ => {}
        }
        found.end += 1;
    }
}

impl Operator {
    /// Splits `comparison` into the operator at its start and the operand.
    fn split(comparison: &[u8]) -> (Self, &[u8]) {
        let (operator, operand) = match comparison {
            [b'!'] => (Self::Nothing, &[] as &[u8]),
            [b'!', b'=', operand @ ..] => (Self::NotEqual, operand),
            [b'!', b'%', operand @ ..] => (Self::NotLike, operand),
            [b'<', b'=', operand @ ..] => (Self::LessOrEqual, operand),
            [b'>', b'=', operand @ ..] => (Self::GreaterOrEqual, operand),
            [b'=', b'=', operand @ ..] | [b'=', operand @ ..] => (Self::Equal, operand),
            [b'<', operand @ ..] => (Self::Less, operand),
            [b'>', operand @ ..] => (Self::Greater, operand),
            [b'%', operand @ ..] => (Self::Like, operand),
            operand => (Self::Exists, operand),
        };
        (operator, trim(operand))
    }
}

impl<'p> Operand<'p> {
    fn parse(text: &'p [u8], has_escapes: bool) -> Self {
        let text = match text {
            [b'"', inner @ .., b'"'] if has_escapes => strings::unescape(inner).finish(),
            [b'"', inner @ .., b'"'] => Bytes::Borrowed(inner),
            _ => Bytes::Borrowed(text),
        };
        match text.strip_prefix(b"~") {
            None => Self::Text(text),
            Some(b"*") => Self::Is(Trait::Existing),
            Some(b"null") => Self::Is(Trait::Null),
            Some(b"true") => Self::Is(Trait::True),
            Some(b"false") => Self::Is(Trait::False),
            Some(_) => Self::Unknown,
        }
    }
}

impl Trait {
    fn holds(&self, value: Option<&Value<'_>>) -> bool {
        let is_null = value.is_none_or(|value| value.kind() == Kind::Null);
        let boolean = value.and_then(Value::as_boolean);
        match self {
            Self::Existing => value.is_some(),
            Self::Null => is_null,
            Self::True => boolean == Some(true),
            Self::False => is_null || boolean == Some(false),
        }
    }
}
