//! Variables.

use crate::budget::BYTES_PER_STEP;
use crate::value::{Type, Value};

/// A value and how it is held: by a variable, as the dot, as an element.
///
/// Go knows whether a value is held as an `interface {}`, and shows it in errors.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) value: Value,
    /// It is an element of a list or map of values of any type.
    pub(super) is_interface: bool,
}

impl From<Value> for Held {
    fn from(value: Value) -> Self {
        Self { value, is_interface: false }
    }
}

impl Held {
    /// An element of a container.
    pub(super) fn element(value: Value, of: Type) -> Self {
        Self { value, is_interface: of == Type::Any }
    }

    /// The result of a function. If it is nil, it is held as an interface.
    pub(super) fn result(value: Value) -> Self {
        let is_interface = matches!(value, Value::Nil);
        Self { value, is_interface }
    }

    /// The name of the type that the value is held as.
    pub(super) fn type_name(&self) -> String {
        if self.is_interface { Type::Any.to_string() } else { self.value.type_name() }
    }

    /// Whether there is nothing at all, not even a nil that something holds.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.is_interface
    }
}

/// The variables in scope, innermost last.
pub(super) struct Scope<'t>(Vec<(&'t [u8], Held)>);

impl<'t> Scope<'t> {
    /// Only `$`.
    pub(super) fn new(root: Held) -> Self {
        Self(vec![(b"$", root)])
    }

    /// A mark for [`Scope::truncate`].
    pub(super) const fn mark(&self) -> usize {
        self.0.len()
    }

    pub(super) fn truncate(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    pub(super) fn declare(&mut self, name: &'t [u8], value: Held) {
        self.0.push((name, value));
    }

    /// The innermost variable with this name; `None` if it is not declared yet.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Held> {
        self.0.iter().rev().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Like [`Scope::get`], but mutable.
    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Held> {
        self.0.iter_mut().rev().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The most steps that finding a variable of this name takes.
    pub(super) const fn cost(&self, name: &[u8]) -> usize {
        self.0.len().saturating_mul(16 + name.len()) / BYTES_PER_STEP
    }

    /// Sets the variable at this distance from the top, where the last one has the distance 1.
    pub(super) fn set_top(&mut self, from_top: usize, value: Held) {
        if let Some(index) = self.0.len().checked_sub(from_top)
            && let Some((_, held)) = self.0.get_mut(index)
        {
            *held = value;
        }
    }
}
