//! Evaluates pipelines, commands and operands.

use super::scope::Held;
use super::{At, Executor, Result};
use crate::MissingKeys;
use crate::ast::{Binding, BindingKind, Command, Operand, OperandKind, Pipeline};
use crate::budget::BYTES_PER_STEP;
use crate::format::quote;
use crate::parser::number::Number;
use crate::value::{Text, Value};

/// The arguments of a field or function.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'t, 'a> {
    pub(super) operands: &'t [Operand],
    /// The value of the preceding command.
    pub(super) piped: Option<&'a Held>,
}

impl Arguments<'_, '_> {
    pub(super) const NONE: Self = Self { operands: &[], piped: None };

    pub(super) const fn is_empty(&self) -> bool {
        self.operands.is_empty() && self.piped.is_none()
    }
}

impl<'t> Executor<'t> {
    /// The value of a pipeline, which is also assigned to its variables.
    pub(super) fn pipeline(&mut self, dot: &Held, pipeline: &'t Pipeline) -> Result<Value> {
        self.at = Some(At::Pipeline(pipeline));
        self.descend()?;
        let mut piped: Option<Held> = None;
        for command in &pipeline.commands {
            self.steps(1)?;
            let value = self.command(dot, command, piped.as_ref())?;
            piped = Some(Held::from(value.value));
        }
        let value = piped.map_or(Value::Nil, |held| held.value);
        if let Some(binding) = &pipeline.binding {
            self.bind(binding, &value)?;
        }
        self.budget.ascend();
        Ok(value)
    }

    fn bind(&mut self, binding: &'t Binding, value: &Value) -> Result<()> {
        for variable in &binding.variables {
            let held = Held::from(value.clone());
            match binding.kind {
                BindingKind::Declare => self.scope.declare(variable, held),
                BindingKind::Assign => self.assign(variable, held)?,
            }
        }
        Ok(())
    }

    /// Sets the variables of a range for an item. They were declared with the range's pipeline.
    pub(super) fn bind_item(&mut self, binding: &'t Binding, index: Value, element: &Held) -> Result<()> {
        match (binding.kind, binding.variables.as_slice()) {
            (BindingKind::Assign, [variable]) => self.assign(variable, element.clone())?,
            (BindingKind::Assign, [first, second, ..]) => {
                self.assign(first, Held::from(index))?;
                self.assign(second, element.clone())?;
            }
            (BindingKind::Declare, variables) => {
                self.scope.set_top(1, element.clone());
                if variables.len() > 1 {
                    self.scope.set_top(2, Held::from(index));
                }
            }
            (BindingKind::Assign, []) => {}
        }
        Ok(())
    }

    fn assign(&mut self, variable: &[u8], value: Held) -> Result<()> {
        self.steps(self.scope.cost(variable))?;
        match self.scope.get_mut(variable) {
            Some(held) => *held = value,
            None => return Err(self.undefined(variable)),
        }
        Ok(())
    }

    fn undefined(&self, variable: &[u8]) -> crate::Error {
        self.error(format!("undefined variable: {}", String::from_utf8_lossy(variable)))
    }

    fn command(&mut self, dot: &Held, command: &'t Command, piped: Option<&Held>) -> Result<Held> {
        let operand = &command.operand;
        let arguments = Arguments { operands: &command.arguments, piped };
        match &operand.kind {
            OperandKind::Field(_) | OperandKind::Chain { .. } | OperandKind::Variable { .. } => {
                self.reference(dot, operand, arguments)
            }
            OperandKind::Function(name) => {
                self.at = Some(At::Operand(operand));
                self.function(dot, name, At::Command(command), arguments)
            }
            OperandKind::Pipeline(pipeline) => {
                // Before the pipeline is looked into, the error is still at the whole command.
                self.not_a_function(operand, arguments)?;
                self.pipeline(dot, pipeline).map(Held::from)
            }
            _ => {
                self.at = Some(At::Operand(operand));
                self.not_a_function(operand, arguments)?;
                self.constant(dot, operand)
            }
        }
    }

    /// A field, a variable or a chain, with its arguments.
    pub(super) fn reference(&mut self, dot: &Held, operand: &'t Operand, arguments: Arguments<'t, '_>) -> Result<Held> {
        self.at = Some(At::Operand(operand));
        match &operand.kind {
            OperandKind::Field(fields) => self.fields(dot, dot.clone(), fields, At::Operand(operand), arguments),
            OperandKind::Variable { name, fields } => {
                self.steps(self.scope.cost(name))?;
                let Some(value) = self.scope.get(name).cloned() else { return Err(self.undefined(name)) };
                if fields.is_empty() {
                    self.not_a_function(operand, arguments)?;
                }
                self.fields(dot, value, fields, At::Operand(operand), arguments)
            }
            OperandKind::Chain { base, fields } => {
                let value = self.chain_base(dot, base)?;
                self.fields(dot, value, fields, At::Operand(operand), arguments)
            }
            _ => self.constant(dot, operand),
        }
    }

    fn chain_base(&mut self, dot: &Held, base: &'t Operand) -> Result<Held> {
        self.at = Some(At::Operand(base));
        match &base.kind {
            OperandKind::Pipeline(pipeline) => self.pipeline(dot, pipeline).map(Held::from),
            OperandKind::Function(name) => self.function(dot, name, At::Operand(base), Arguments::NONE),
            _ => self.reference(dot, base, Arguments::NONE),
        }
    }

    /// A literal or the dot, if no type is required.
    pub(super) fn constant(&mut self, dot: &Held, operand: &'t Operand) -> Result<Held> {
        Ok(Held::from(match &operand.kind {
            OperandKind::Bool(value) => Value::Bool(*value),
            OperandKind::Dot => return Ok(dot.clone()),
            OperandKind::Number(number) => self.untyped_number(number)?,
            OperandKind::String(text) => {
                let paid = self.budget.read(text.len());
                self.bound(paid)?;
                Value::String(Text::from(text.as_slice()))
            }
            _ => return Err(self.error("nil is not a command".to_owned())),
        }))
    }

    /// A number literal, if no type is required: its notation determines the type.
    fn untyped_number(&self, number: &Number) -> Result<Value> {
        if let Some((real, imaginary)) = number.complex {
            return Ok(Value::Complex(real, imaginary));
        }
        match (number.float, number.integer) {
            (Some(float), _) if number.is_written_as_float() => Ok(Value::Float(float)),
            (_, Some(integer)) => Ok(Value::int(integer)),
            _ => Err(self.error(format!("{} overflows int", number.text))),
        }
    }

    fn not_a_function(&self, operand: &Operand, arguments: Arguments<'_, '_>) -> Result<()> {
        if arguments.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("can't give argument to non-function {operand}")))
    }

    /// Follows fields from a value, one after the other.
    fn fields(
        &mut self,
        dot: &Held,
        mut value: Held,
        fields: &'t [Vec<u8>],
        at: At<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Held> {
        for (i, field) in fields.iter().enumerate() {
            self.steps(1 + field.len() / BYTES_PER_STEP)?;
            let given = if i + 1 == fields.len() { arguments } else { Arguments::NONE };
            value = match value.value.member(field) {
                Some(member) => {
                    let name = String::from_utf8_lossy(field);
                    self.member(dot, (&value.value, member), &name, at, given)?
                }
                None => self.field(&value, field, given)?,
            };
        }
        Ok(value)
    }

    fn field(&self, receiver: &Held, field: &[u8], arguments: Arguments<'_, '_>) -> Result<Held> {
        let name = String::from_utf8_lossy(field);
        match &receiver.value {
            Value::Nil if receiver.is_invalid() => {
                Err(self.error(format!("nil data; no entry for key {}", quote::quoted(field))))
            }
            Value::Nil => Err(self.error(format!("nil pointer evaluating {}.{name}", receiver.type_name()))),
            Value::Map(_) if !arguments.is_empty() => {
                Err(self.error(format!("{name} is not a method but has arguments")))
            }
            Value::Map(map) => match map.get(field) {
                Some(value) => Ok(Held::element(value, *map.element_type())),
                None if self.template.engine.missing_keys == MissingKeys::NoValue => Ok(Held::from(Value::Nil)),
                None => Err(self.error(format!("map has no entry for key {}", quote::quoted(field)))),
            },
            _ => Err(self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))),
        }
    }
}
