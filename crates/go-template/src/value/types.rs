//! Go's types, as far as templates use them.

use std::fmt;

use crate::time;

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// A parameter that accepts any value unchanged, including nil.
    Reflect,
    /// `bool`
    Bool,
    /// A signed integer.
    Int(Int),
    /// An unsigned integer.
    Uint(Uint),
    /// `float64`
    Float,
    /// `complex128`
    Complex,
    /// `string`
    String,
    /// A slice of this type.
    Slice(&'static Type),
    /// A map from strings to this type.
    Map(&'static Type),
    /// The struct, or pointer to a struct, with this name.
    Object(&'static str),
}

/// Signed integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// `int`
    Int,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `time.Duration`, in nanoseconds
    Duration,
    /// `time.Month`, from 1
    Month,
    /// `time.Weekday`, from 0 for Sunday
    Weekday,
}

/// Unsigned integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uint {
    /// `uint8`
    Uint8,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
}

impl Int {
    /// Go's name for its kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Int | Self::Month | Self::Weekday => "int",
            Self::Int32 => "int32",
            Self::Int64 | Self::Duration => "int64",
        }
    }

    /// The result of Go's `String` method for a number, if the type has one.
    pub(crate) fn text(self, number: i64) -> Option<String> {
        match self {
            Self::Int | Self::Int32 | Self::Int64 => None,
            Self::Duration => Some(time::print_duration(number)),
            Self::Month => Some(time::month_name(number)),
            Self::Weekday => Some(time::weekday_name(number)),
        }
    }
}

impl Uint {
    /// Go's name for its kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }
}

impl Type {
    /// `[]byte`
    pub const BYTES: Self = Self::Slice(&Self::Uint(Uint::Uint8));
    /// `int`
    pub const INT: Self = Self::Int(Int::Int);
    /// `[]interface {}`
    pub const LIST: Self = Self::Slice(&Self::Any);
    /// `map[string]interface {}`
    pub const DICT: Self = Self::Map(&Self::Any);

    /// Whether a value of the type may be nil.
    pub(crate) const fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::Reflect | Self::Slice(_) | Self::Map(_))
    }
}

/// As Go prints it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("interface {}"),
            Self::Reflect => f.write_str("reflect.Value"),
            Self::Bool => f.write_str("bool"),
            Self::Int(Int::Int) => f.write_str("int"),
            Self::Int(Int::Int32) => f.write_str("int32"),
            Self::Int(Int::Int64) => f.write_str("int64"),
            Self::Int(Int::Duration) => f.write_str("time.Duration"),
            Self::Int(Int::Month) => f.write_str("time.Month"),
            Self::Int(Int::Weekday) => f.write_str("time.Weekday"),
            Self::Uint(Uint::Uint8) => f.write_str("uint8"),
            Self::Uint(Uint::Uint32) => f.write_str("uint32"),
            Self::Uint(Uint::Uint64) => f.write_str("uint64"),
            Self::Float => f.write_str("float64"),
            Self::Complex => f.write_str("complex128"),
            Self::String => f.write_str("string"),
            Self::Slice(element) => write!(f, "[]{element}"),
            Self::Map(element) => write!(f, "map[string]{element}"),
            Self::Object(name) => f.write_str(name),
        }
    }
}
