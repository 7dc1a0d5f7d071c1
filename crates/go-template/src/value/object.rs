//! Structs and pointers to structs, with their fields and methods.

use std::any::Any;
use std::ops::Deref;
use std::rc::Rc;

use super::{Text, Value};
use crate::budget::{Budget, Exceeded};
use crate::functions::Function;
use crate::memory::Share;
use crate::time;

/// A value of a Go struct type, such as `time.Time`.
pub trait Object: Any {
    /// The name of its type, as Go prints it.
    fn type_name(&self) -> &'static str;

    /// The bytes that it holds, including its texts.
    fn size(&self) -> usize;

    /// Go's name for the kind of its type.
    fn kind(&self) -> &'static str {
        "struct"
    }

    /// How Go's `fmt` prints it with `%v`.
    fn text(&self) -> Text;

    /// Its representation in JSON, such as a map of its fields or a string.
    fn plain(&self) -> Value;

    /// A field or a method.
    fn member(&self, name: &[u8]) -> Option<Member>;
}

/// A struct whose [size](Object::size) counts until it is dropped.
pub struct Counted<T: ?Sized> {
    _share: Share,
    object: T,
}

impl<T: ?Sized> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

/// A field or method of a value.
pub enum Member {
    /// A field with its value.
    Field(Value),
    /// A method. Its body gets the value itself before the arguments.
    Method(Function),
}

impl Value {
    /// A struct.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(Counted { _share: Share::new(object.size()), object }))
    }

    /// The value as a struct of this type, if it is one.
    #[must_use]
    pub fn downcast<T: Object>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => (&object.object as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// A field of the value's struct, or a method of its type.
    pub(crate) fn member(&self, name: &[u8]) -> Option<Member> {
        match self {
            Self::Object(object) => object.member(name),
            Self::Int(kind, _) => time::integer_member(*kind, name),
            _ => None,
        }
    }
}

/// Whether two structs have the same type and content.
pub(crate) fn is_same(a: &dyn Object, b: &dyn Object, budget: &mut Budget) -> Result<bool, Exceeded> {
    if a.type_name() != b.type_name() {
        return Ok(false);
    }
    budget.read(a.size().saturating_add(b.size()))?;
    Ok(a.text() == b.text())
}
