//! Functions that end the rendering.

use super::{Result, Table};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[("fail", Function::fixed(&[Type::String], fail))];

/// Fails. The message may have been made of secrets, so it is not shown; the error's place tells
/// which `fail` it was.
fn fail(_: &[Value], _: &mut Call<'_>) -> Result {
    Err(FunctionError::new("the template asks to fail"))
}
