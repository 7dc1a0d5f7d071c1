//! The values of templates: those of Go's that occur, with their types, because Go prints and compares values by type.

mod containers;
mod object;
mod text;
mod types;

pub use containers::{List, Map, SetError};
pub use object::{Counted, Member, Object};
pub use text::Text;
pub use types::{Int, Type, Uint};

pub(super) use containers::{list_size, map_size};
pub(super) use object::is_same;
pub(super) use text::OVERHEAD as TEXT_OVERHEAD;

use std::rc::Rc;

/// A value.
#[derive(Clone)]
pub enum Value {
    /// No value: `nil`, a JSON `null`, a missing entry.
    Nil,
    /// A `bool`.
    Bool(bool),
    /// A signed integer.
    Int(Int, i64),
    /// An unsigned integer.
    Uint(Uint, u64),
    /// A `float64`.
    Float(f64),
    /// A `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// A `string` of arbitrary bytes.
    String(Text),
    /// A `[]byte`.
    Bytes(Text),
    /// A slice of anything else.
    List(List),
    /// A map with strings as keys.
    Map(Map),
    /// A struct, or a pointer to one.
    Object(Rc<Counted<dyn Object>>),
}

impl Value {
    /// A string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(Text::from(text))
    }

    /// An `int`.
    #[must_use]
    pub const fn int(number: i64) -> Self {
        Self::Int(Int::Int, number)
    }

    /// A number of items as an `int`.
    #[must_use]
    pub fn len(len: usize) -> Self {
        Self::int(i64::try_from(len).unwrap_or(i64::MAX))
    }

    /// The value's type; `None` if there is no value.
    #[must_use]
    pub fn type_of(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(kind, _) => Type::Int(*kind),
            Self::Uint(kind, _) => Type::Uint(*kind),
            Self::Float(_) => Type::Float,
            Self::Complex(..) => Type::Complex,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::BYTES,
            Self::List(list) => Type::Slice(list.element_type()),
            Self::Map(map) => Type::Map(map.element_type()),
            Self::Object(object) => Type::Object(object.type_name()),
        })
    }

    /// The name of the value's type, for messages.
    #[must_use]
    pub fn type_name(&self) -> String {
        self.type_of().map_or_else(|| "nil".to_owned(), |found| found.to_string())
    }

    /// Whether `if` treats the value as true: it is neither empty nor the zero value of its type.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(_, number) => *number != 0,
            Self::Uint(_, number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The length of its own text in bytes, not counting elements.
    pub(crate) fn text_len(&self) -> usize {
        match self {
            Self::String(text) | Self::Bytes(text) => text.len(),
            Self::Object(object) => object.size(),
            _ => 0,
        }
    }

    /// The zero value of a type.
    #[must_use]
    pub fn zero(of: Type) -> Self {
        match of {
            // No parameter of a struct type is optional.
            Type::Any | Type::Reflect | Type::Object(_) => Self::Nil,
            Type::Bool => Self::Bool(false),
            Type::Int(kind) => Self::Int(kind, 0),
            Type::Uint(kind) => Self::Uint(kind, 0),
            Type::Float => Self::Float(0.0),
            Type::Complex => Self::Complex(0.0, 0.0),
            Type::String => Self::String(Text::default()),
            Type::BYTES => Self::Bytes(Text::default()),
            Type::Slice(element) => Self::List(List::nil(element)),
            Type::Map(element) => Self::Map(Map::new(element)),
        }
    }
}

/// Prints only the type: the value may be a secret.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({})", self.type_name())
    }
}
