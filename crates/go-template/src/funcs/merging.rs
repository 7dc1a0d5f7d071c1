//! Merges maps as the library mergo does.

use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Map, Type, Value};

const MERGE: Function = Function::variadic(&[Type::DICT], Type::DICT, |maps, call| merge(maps, Existing::Keep, call));
const MERGE_OVERWRITE: Function =
    Function::variadic(&[Type::DICT], Type::DICT, |maps, call| merge(maps, Existing::Overwrite, call));

pub(super) const TABLE: Table = &[
    ("merge", MERGE),
    ("mergeOverwrite", MERGE_OVERWRITE),
    ("mustMerge", MERGE),
    ("mustMergeOverwrite", MERGE_OVERWRITE),
];

/// What to do with an existing value that is not empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Overwrite,
}

/// Merges the other maps into the first, which is changed together with the maps in it.
fn merge(maps: &[Value], existing: Existing, call: &mut Call<'_>) -> Result {
    let [Value::Map(target), sources @ ..] = maps else { return Err(mismatch()) };
    for source in sources {
        let Value::Map(source) = source else { return Err(mismatch()) };
        merge_map(target, source, existing, call)?;
    }
    Ok(Value::Map(target.clone()))
}

fn merge_map(target: &Map, source: &Map, existing: Existing, call: &mut Call<'_>) -> Result<()> {
    call.budget.descend()?;
    call.budget.steps(source.len())?;
    for (key, value) in source.snapshot() {
        call.budget.read(key.len())?;
        let current = target.get(&key);
        if let (Some(Value::Map(current)), Value::Map(value)) = (&current, &value) {
            merge_map(current, value, existing, call)?;
        }
        let current = current.filter(Value::is_true);
        let is_kept = match (&current, &value) {
            (Some(Value::Map(_)), Value::Map(_)) => true,
            (None, Value::Nil) => existing == Existing::Keep,
            (current, _) => current.is_some() && existing == Existing::Keep,
        };
        if !is_kept {
            if *target.element_type() != Type::Any && value.type_of() != Some(*target.element_type()) {
                return Err(FunctionError::new(format!(
                    "cannot merge a value of type {} into a {}",
                    value.type_name(),
                    Type::Map(target.element_type())
                )));
            }
            target.set(key, value, call.budget)?;
        }
    }
    call.budget.ascend();
    Ok(())
}
