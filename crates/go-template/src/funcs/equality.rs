//! Go's `reflect.DeepEqual`.

use super::Result;
use crate::budget::Budget;
use crate::value::{Value, is_same};

/// Whether two values have the same type and content.
#[allow(clippy::float_cmp, reason = "floats are equal where Go finds them equal")]
pub(super) fn is_equal(a: &Value, b: &Value, budget: &mut Budget) -> Result<bool> {
    budget.steps(1)?;
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(kind, a), Value::Int(other, b)) => kind == other && a == b,
        (Value::Uint(kind, a), Value::Uint(other, b)) => kind == other && a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, i), Value::Complex(b, j)) => a == b && i == j,
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => {
            budget.read(a.len().min(b.len()))?;
            a == b
        }
        (Value::Object(a), Value::Object(b)) => is_same(&***a, &***b, budget)?,
        (Value::List(a), Value::List(b)) => {
            if a.element_type() != b.element_type() || a.is_nil() != b.is_nil() || a.len() != b.len() {
                return Ok(false);
            }
            budget.descend()?;
            let are_equal = all(a.iter().zip(b.iter()), |(a, b)| is_equal(&a, &b, budget))?;
            budget.ascend();
            are_equal
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.element_type() != b.element_type() || a.len() != b.len() {
                return Ok(false);
            }
            budget.descend()?;
            let are_equal = all(a.snapshot().into_iter().zip(b.snapshot()), |((key, a), (other, b))| {
                budget.read(key.len())?;
                Ok(key == other && is_equal(&a, &b, budget)?)
            })?;
            budget.ascend();
            are_equal
        }
        _ => false,
    })
}

/// Whether all items satisfy `holds`.
fn all<T>(mut items: impl Iterator<Item = T>, mut holds: impl FnMut(T) -> Result<bool>) -> Result<bool> {
    items.try_fold(true, |are_equal, item| Ok(are_equal && holds(item)?))
}
