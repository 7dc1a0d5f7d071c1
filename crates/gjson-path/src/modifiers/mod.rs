//! Modifiers, `@name` or `@name:argument`, which turn a document into another one.

mod lists;
mod objects;
mod pretty;

use super::budget::{Budget, TooComplex};
use super::bytes::{Bytes, Output};
use super::value::Value;
use super::{path, scan, strings, valid};

/// A built-in modifier of GJSON; others cannot be added.
#[derive(Clone, Copy)]
pub(super) enum Modifier {
    Pretty,
    Ugly,
    Reverse,
    This,
    Flatten,
    Join,
    Valid,
    Keys,
    Values,
    ToStr,
    FromStr,
    Group,
    Dig,
}

/// A modifier with its argument.
pub(super) struct Call<'p> {
    modifier: Modifier,
    argument: &'p [u8],
}

impl Modifier {
    pub(super) const fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"pretty" => Self::Pretty,
            b"ugly" => Self::Ugly,
            b"reverse" => Self::Reverse,
            b"this" => Self::This,
            b"flatten" => Self::Flatten,
            b"join" => Self::Join,
            b"valid" => Self::Valid,
            b"keys" => Self::Keys,
            b"values" => Self::Values,
            b"tostr" => Self::ToStr,
            b"fromstr" => Self::FromStr,
            b"group" => Self::Group,
            b"dig" => Self::Dig,
            _ => return None,
        })
    }
}

impl<'p> Call<'p> {
    /// Parses the modifier at the start of `path`. Returns it and the rest; `None` if there is no modifier with that
    /// name.
    pub(super) fn parse(path: &'p [u8]) -> Option<(Self, &'p [u8])> {
        let name = path::modifier_name(path.strip_prefix(b"@")?);
        let modifier = Modifier::named(name)?;
        let rest = path.get(1 + name.len()..)?;
        let (argument, rest) = match rest {
            [b':', rest @ ..] => rest.split_at(argument_len(rest)),
            rest => (&[] as &[u8], rest),
        };
        Some((Self { modifier, argument }, rest))
    }

    /// Applies the modifier to `document`.
    pub(super) fn apply<'d>(&self, document: &'d [u8], budget: &mut Budget) -> Result<Bytes<'d>, TooComplex> {
        budget.read(document.len())?;
        let argument = self.argument;
        match self.modifier {
            Modifier::This => Ok(Bytes::Borrowed(document)),
            Modifier::Valid if valid::is_valid(document) => Ok(Bytes::Borrowed(document)),
            Modifier::FromStr if valid::is_valid(document) => {
                budget.read(document.len())?;
                Ok(Value::parse(document).map_or(Bytes::Borrowed(b""), |value| value.text().into_owned()))
            }
            Modifier::Valid | Modifier::FromStr => Ok(Bytes::Borrowed(b"")),
            Modifier::ToStr => {
                let mut output = Output::default();
                budget.write(&mut output, &strings::quote(document))?;
                Ok(output.finish())
            }
            Modifier::Ugly => pretty::ugly(document, budget),
            Modifier::Pretty => pretty::pretty(document, argument, budget),
            Modifier::Reverse => lists::reverse(document, budget),
            Modifier::Flatten => lists::flatten(document, argument, budget),
            Modifier::Dig => lists::dig(document, argument, budget),
            Modifier::Join => objects::join(document, argument, budget),
            Modifier::Keys => objects::keys(document, budget),
            Modifier::Values => objects::values(document, budget),
            Modifier::Group => objects::group(document, budget),
        }
    }
}

/// The length of the argument at the start of `path`: a JSON value, or everything up to the next pipe outside of
/// brackets and quotes.
fn argument_len(path: &[u8]) -> usize {
    if matches!(path.first(), Some(b'{' | b'[' | b'"')) {
        return scan::balanced_len(path);
    }
    let mut i = 0;
    while let Some(&byte) = path.get(i) {
        match byte {
            b'|' => break,
            b'{' | b'[' | b'"' | b'(' => i += scan::balanced_len(path.get(i..).unwrap_or_default()),
            _ => i += 1,
        }
    }
    i
}

/// Whether the JSON object `argument` sets `name`.
fn is_set(argument: &[u8], name: &[u8]) -> bool {
    let Some(options) = Value::parse(argument) else { return false };
    let mut set = false;
    for item in options.items() {
        if *strings::content(item.key) == *name {
            set = item.value.as_boolean() == Some(true);
        }
    }
    set
}

/// Writes a list of documents between brackets.
fn write_list<T: AsRef<[u8]>>(
    items: impl Iterator<Item = T>,
    brackets: [&[u8]; 2],
    budget: &mut Budget,
) -> Result<Output, TooComplex> {
    let mut output = Output::default();
    budget.write(&mut output, brackets[0])?;
    for (i, item) in items.enumerate() {
        if i > 0 {
            budget.write(&mut output, b",")?;
        }
        budget.write(&mut output, item.as_ref())?;
    }
    budget.write(&mut output, brackets[1])?;
    Ok(output)
}
