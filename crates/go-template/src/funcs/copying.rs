//! Copies that share no map with the original.

use super::convert::argument;
use super::{Result, Table};
use crate::budget::Budget;
use crate::functions::{Call, Function, FunctionError};
use crate::value::{List, Map, Type, Value};

const DEEP_COPY: Function = Function::fixed(&[Type::Any], deep_copy);

pub(super) const TABLE: Table = &[("deepCopy", DEEP_COPY), ("mustDeepCopy", DEEP_COPY)];

fn deep_copy(arguments: &[Value], call: &mut Call<'_>) -> Result {
    match argument(arguments)? {
        Value::Nil => Err(FunctionError::new("nil cannot be copied")),
        value => copy(value, call.budget),
    }
}

fn copy(value: &Value, budget: &mut Budget) -> Result {
    budget.steps(1)?;
    match value {
        Value::List(list) if !list.is_nil() => {
            budget.descend()?;
            let items: Vec<Value> = list.iter().map(|item| copy(&item, budget)).collect::<Result<_>>()?;
            budget.ascend();
            Ok(Value::List(List::new(list.element_type(), items)))
        }
        Value::Map(map) => {
            budget.descend()?;
            let entries = map.snapshot().into_iter().map(|(key, value)| Ok((key, copy(&value, budget)?)));
            let entries = entries.collect::<Result<_>>()?;
            budget.ascend();
            Ok(Value::Map(Map::from_entries(map.element_type(), entries)))
        }
        other => Ok(other.clone()),
    }
}
