//! Functions that end rendering.

use super::{Result, Table};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[("fail", Function::fixed(&[Type::String], fail))];

/// Fails. The message is not shown, because it may be derived from secrets; the error's location identifies the call of
/// `fail`.
fn fail(_: &[Value], _: &mut Call<'_>) -> Result {
    Err(FunctionError::new("the template asks to fail"))
}
