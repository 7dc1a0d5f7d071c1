//! Versions.

use std::cmp::Ordering;

use super::Error;
use crate::functions::{Function, FunctionError};
use crate::value::{Member, Object, Text, Type, Uint, Value};

/// Go's type of a version: a pointer if it was parsed, a struct if it was derived from another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Pointer,
    Struct,
}

/// A version.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) prerelease: String,
    metadata: String,
    original: String,
    held: Held,
}

const POINTER: Type = Type::Object("*semver.Version");

impl Version {
    /// Parses `1.2.3-beta.1+build`, with an optional leading `v` and optional minor version and patch.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let end = numbers.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(numbers.len());
        let (numbers, rest) = numbers.split_at(end);
        let (prerelease, metadata) = match rest.as_bytes().first() {
            None => (None, None),
            Some(b'-') => {
                let rest = rest.get(1..).unwrap_or_default();
                rest.split_once('+').map_or((Some(rest), None), |(before, after)| (Some(before), Some(after)))
            }
            Some(b'+') => (None, rest.get(1..)),
            Some(_) => return Err(Error::Version),
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        let has_form = parts.len() <= 3
            && parts.iter().all(|part| !part.is_empty())
            && prerelease.is_none_or(is_identifiers)
            && metadata.is_none_or(is_identifiers);
        if !has_form {
            return Err(Error::Version);
        }
        let number = |i: usize| parts.get(i).map_or(Ok(0), |part| part.parse().map_err(|_| Error::OutOfRange));
        let (major, minor, patch) = (number(0)?, number(1)?, number(2)?);
        let prerelease = prerelease.unwrap_or_default().to_owned();
        check_prerelease(&prerelease)?;
        let metadata = metadata.unwrap_or_default().to_owned();
        Ok(Self { major, minor, patch, prerelease, metadata, original: text.to_owned(), held: Held::Pointer })
    }

    /// Compares two versions. Metadata is ignored.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }

    fn print(&self) -> String {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        for (mark, part) in [('-', &self.prerelease), ('+', &self.metadata)] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// The result of applying `change`, without a prerelease.
    fn next(&self, change: impl Fn(&mut Self)) -> Value {
        let mut next = self.clone();
        change(&mut next);
        next.prerelease.clear();
        next.metadata.clear();
        next.finish()
    }

    fn finish(mut self) -> Value {
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        self.original = format!("{prefix}{}", self.print());
        self.held = Held::Struct;
        Value::object(self)
    }

    fn with_prerelease(&self, prerelease: &Text) -> Result<Value, Error> {
        let prerelease = std::str::from_utf8(prerelease).map_err(|_| Error::Prerelease)?;
        if !prerelease.is_empty() && !is_identifiers(prerelease) {
            return Err(Error::Prerelease);
        }
        check_prerelease(prerelease)?;
        Ok(Self { prerelease: prerelease.to_owned(), ..self.clone() }.finish())
    }

    fn with_metadata(&self, metadata: &Text) -> Result<Value, Error> {
        let metadata = std::str::from_utf8(metadata).map_err(|_| Error::Metadata)?;
        if !metadata.is_empty() && !is_identifiers(metadata) {
            return Err(Error::Metadata);
        }
        Ok(Self { metadata: metadata.to_owned(), ..self.clone() }.finish())
    }
}

/// Letters, digits and hyphens, separated by dots.
fn is_identifiers(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_allowed))
}

/// A number in a prerelease has no leading zeros.
fn check_prerelease(prerelease: &str) -> Result<(), Error> {
    let has_zero =
        |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
    if prerelease.split('.').any(has_zero) { Err(Error::LeadingZero) } else { Ok(()) }
}

/// Compares part by part: numbers by value and before others.
pub(super) fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) if a == b => Ordering::Equal,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl Object for Version {
    fn type_name(&self) -> &'static str {
        match self.held {
            Held::Pointer => "*semver.Version",
            Held::Struct => "semver.Version",
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.prerelease.len() + self.metadata.len() + self.original.len()
    }

    fn kind(&self) -> &'static str {
        match self.held {
            Held::Pointer => "ptr",
            Held::Struct => "struct",
        }
    }

    fn text(&self) -> Text {
        Text::from(self.print().as_str())
    }

    fn plain(&self) -> Value {
        Value::string(&self.print())
    }

    fn member(&self, name: &[u8]) -> Option<Member> {
        // Methods of the pointer, which the struct does not have.
        let needs_pointer = matches!(
            name,
            b"Original" | b"Compare" | b"Equal" | b"LessThan" | b"LessThanEqual" | b"GreaterThan" | b"GreaterThanEqual"
        );
        if needs_pointer && self.held == Held::Struct { None } else { method(name).map(Member::Method) }
    }
}

const fn uint64(number: u64) -> Value {
    Value::Uint(Uint::Uint64, number)
}

/// A method without parameters.
macro_rules! method {
    ($body:expr) => {
        Function::fixed(&[], |arguments, _| {
            let body: fn(&Version) -> Value = $body;
            Ok(body(arguments.first().and_then(Value::downcast).ok_or_else(super::mismatch)?))
        })
    };
}

/// A method that compares with another version.
macro_rules! comparison {
    ($body:expr) => {
        Function::fixed(&[POINTER], |arguments, _| {
            let [Some(a), Some(b)] = [0, 1].map(|i| arguments.get(i).and_then(Value::downcast::<Version>)) else {
                return Err(super::mismatch());
            };
            let body: fn(Ordering) -> Value = $body;
            Ok(body(a.compare(b)))
        })
    };
}

fn method(name: &[u8]) -> Option<Function> {
    Some(match name {
        b"Major" => method!(|version| uint64(version.major)),
        b"Minor" => method!(|version| uint64(version.minor)),
        b"Patch" => method!(|version| uint64(version.patch)),
        b"Prerelease" => method!(|version| Value::string(&version.prerelease)),
        b"Metadata" => method!(|version| Value::string(&version.metadata)),
        b"Original" => method!(|version| Value::string(&version.original)),
        b"String" => method!(|version| Value::string(&version.print())),
        b"IncMajor" => method!(|version| version.next(|next| {
            next.major = next.major.wrapping_add(1);
            next.minor = 0;
            next.patch = 0;
        })),
        b"IncMinor" => method!(|version| version.next(|next| {
            next.minor = next.minor.wrapping_add(1);
            next.patch = 0;
        })),
        b"IncPatch" => method!(|version| version.next(|next| {
            // The release follows its prerelease.
            if next.prerelease.is_empty() {
                next.patch = next.patch.wrapping_add(1);
            }
        })),
        b"SetPrerelease" => Function::fixed(&[Type::String], |arguments, _| {
            let (version, text) = with_text(arguments)?;
            Ok(version.with_prerelease(text)?)
        }),
        b"SetMetadata" => Function::fixed(&[Type::String], |arguments, _| {
            let (version, text) = with_text(arguments)?;
            Ok(version.with_metadata(text)?)
        }),
        b"Compare" => comparison!(|order| Value::int(order as i64)),
        b"Equal" => comparison!(|order| Value::Bool(order.is_eq())),
        b"LessThan" => comparison!(|order| Value::Bool(order.is_lt())),
        b"LessThanEqual" => comparison!(|order| Value::Bool(order.is_le())),
        b"GreaterThan" => comparison!(|order| Value::Bool(order.is_gt())),
        b"GreaterThanEqual" => comparison!(|order| Value::Bool(order.is_ge())),
        _ => return None,
    })
}

fn with_text(arguments: &[Value]) -> Result<(&Version, &Text), FunctionError> {
    match arguments {
        [version, Value::String(text)] => version.downcast().map(|version| (version, text)).ok_or_else(super::mismatch),
        _ => Err(super::mismatch()),
    }
}
