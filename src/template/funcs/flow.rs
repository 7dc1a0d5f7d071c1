//! Functions that end the rendering.

use super::{Result, Table};
use crate::template::functions::{Call, Function, FunctionError};
use crate::template::value::{Type, Value};

pub(super) const TABLE: Table = &[("fail", Function::fixed(&[Type::String], fail))];

/// Fails with the message of the template's author. It may hold a value, so it is not shown.
fn fail(_: &[Value], _: &mut Call<'_>) -> Result {
    Err(FunctionError::new("the template asks to fail"))
}
