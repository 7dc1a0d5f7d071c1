//! Calls functions, evaluating their arguments as the types of their parameters.

use super::eval::Arguments;
use super::scope::Held;
use super::{At, Executor, Result};
use crate::ast::{Operand, OperandKind};
use crate::format::quote;
use crate::functions::{Body, Call, Function, VolatileCall};
use crate::parser::number::Number;
use crate::value::{Int, Member, Text, Type, Uint, Value};

impl<'t> Executor<'t> {
    /// The result of the function `name`. Its own errors are located at `call`.
    pub(super) fn function(
        &mut self,
        dot: &Held,
        name: &[u8],
        call: At<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Held> {
        let shown = String::from_utf8_lossy(name);
        let Some(function) = self.template.engine.functions.get(name) else {
            return Err(self.error(format!("{} is not a defined function", quote::quoted(name))));
        };
        self.check_count(&shown, &function, arguments)?;
        match function.body {
            Body::And => self.short_circuit(dot, arguments, |value| !value.is_true()).map(Held::from),
            Body::Or => self.short_circuit(dot, arguments, Value::is_true).map(Held::from),
            Body::Call => {
                let values = self.arguments(dot, &function, arguments)?;
                // No value is a function.
                let problem = match values.first() {
                    None | Some(Value::Nil) => "call of nil".to_owned(),
                    Some(callee) => format!("non-function of type {}", callee.type_name()),
                };
                self.at = Some(call);
                Err(self.error(format!("error calling call: {problem}")))
            }
            Body::Native(_) | Body::Volatile(_) => {
                let values = self.arguments(dot, &function, arguments)?;
                self.native(&shown, &function, &values, call)
            }
        }
    }

    /// The result of a method, or the value of a field of `receiver`.
    pub(super) fn member(
        &mut self,
        dot: &Held,
        (receiver, member): (&Value, Member),
        name: &str,
        call: At<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Held> {
        match member {
            Member::Field(value) if arguments.is_empty() => Ok(Held::from(value)),
            Member::Field(_) => Err(self.error(format!("{name} has arguments but cannot be invoked as function"))),
            Member::Method(method) => {
                self.check_count(name, &method, arguments)?;
                let mut values = self.arguments(dot, &method, arguments)?;
                values.insert(0, receiver.clone());
                self.native(name, &method, &values, call)
            }
        }
    }

    fn native(&mut self, name: &str, function: &Function, values: &[Value], call: At<'t>) -> Result<Held> {
        let given = values.iter().map(Value::text_len).fold(0, usize::saturating_add);
        let paid = self.budget.begin(given);
        self.bound(paid)?;
        let mut context = Call::new(&mut self.budget, &mut self.state);
        let result = match function.body {
            Body::Native(body) => body(values, &mut context),
            Body::Volatile(body) => body(values, &mut VolatileCall::new(context, &self.template.engine.environment)),
            // They decide themselves which arguments to evaluate.
            Body::And | Body::Or | Body::Call => Ok(Value::Nil),
        };
        match result {
            Ok(value) => {
                if let Err(exceeded) = self.budget.settle() {
                    self.at = Some(call);
                    return Err(self.error(exceeded.to_string()));
                }
                Ok(Held::result(value))
            }
            Err(error) => {
                self.at = Some(call);
                Err(self.error(format!("error calling {name}: {error}")))
            }
        }
    }

    fn check_count(&self, name: &str, function: &Function, arguments: Arguments<'_, '_>) -> Result<()> {
        let given = arguments.operands.len();
        let count = given + usize::from(arguments.piped.is_some());
        let wanted = function.parameters.len();
        match function.variadic {
            Some(_) if count < wanted => {
                Err(self.error(format!("wrong number of args for {name}: want at least {wanted} got {given}")))
            }
            None if count != wanted => {
                Err(self.error(format!("wrong number of args for {name}: want {wanted} got {count}")))
            }
            _ => Ok(()),
        }
    }

    /// The first argument that satisfies `decides`, or the last one. The arguments after it are not evaluated.
    fn short_circuit(
        &mut self,
        dot: &Held,
        arguments: Arguments<'t, '_>,
        decides: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut value = Value::Nil;
        for operand in arguments.operands {
            value = self.argument(dot, Type::Reflect, operand)?;
            if decides(&value) {
                return Ok(value);
            }
        }
        Ok(arguments.piped.map_or(value, |piped| piped.value.clone()))
    }

    fn arguments(&mut self, dot: &Held, function: &Function, arguments: Arguments<'t, '_>) -> Result<Vec<Value>> {
        let parameter = |i: usize| function.parameters.get(i).copied().or(function.variadic).unwrap_or(Type::Any);
        let mut values = Vec::with_capacity(arguments.operands.len() + 1);
        for (i, operand) in arguments.operands.iter().enumerate() {
            values.push(self.argument(dot, parameter(i), operand)?);
        }
        if let Some(piped) = arguments.piped {
            values.push(self.assignable(piped.clone(), parameter(values.len()))?);
        }
        Ok(values)
    }

    /// An argument as the type of its parameter.
    fn argument(&mut self, dot: &Held, parameter: Type, operand: &'t Operand) -> Result<Value> {
        self.steps(1)?;
        self.at = Some(At::Operand(operand));
        match &operand.kind {
            OperandKind::Dot => self.assignable(dot.clone(), parameter),
            OperandKind::Nil if parameter.can_be_nil() => Ok(Value::zero(parameter)),
            OperandKind::Nil => Err(self.error(format!("cannot assign nil to {parameter}"))),
            OperandKind::Field(_) | OperandKind::Variable { .. } | OperandKind::Chain { .. } => {
                let value = self.reference(dot, operand, Arguments::NONE)?;
                self.assignable(value, parameter)
            }
            OperandKind::Pipeline(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                self.assignable(Held::from(value), parameter)
            }
            OperandKind::Function(name) => {
                let value = self.function(dot, name, At::Operand(operand), Arguments::NONE)?;
                self.assignable(value, parameter)
            }
            OperandKind::Bool(_) | OperandKind::Number(_) | OperandKind::String(_) => {
                self.literal(dot, parameter, operand)
            }
        }
    }

    /// A literal as the type of a parameter.
    fn literal(&mut self, dot: &Held, parameter: Type, operand: &'t Operand) -> Result<Value> {
        let number = if let OperandKind::Number(number) = &operand.kind { Some(number) } else { None };
        let (value, expected) = match parameter {
            Type::Any | Type::Reflect => return Ok(self.constant(dot, operand)?.value),
            Type::Bool => (boolean(&operand.kind), "bool"),
            Type::String => (string(&operand.kind), "string"),
            Type::Int(kind) => (number.and_then(|number| integer(number, kind)), "integer"),
            Type::Uint(kind) => (number.and_then(|number| unsigned(number, kind)), "unsigned integer"),
            Type::Float => (number.and_then(|number| number.float).map(Value::Float), "float"),
            Type::Complex => (number.and_then(complex), "complex"),
            Type::Slice(_) | Type::Map(_) | Type::Object(_) => {
                return Err(self.error(format!("can't handle {operand} for arg of type {parameter}")));
            }
        };
        value.ok_or_else(|| self.error(format!("expected {expected}; found {operand}")))
    }

    /// `value` as a parameter of this type accepts it.
    fn assignable(&self, held: Held, parameter: Type) -> Result<Value> {
        if matches!(parameter, Type::Any | Type::Reflect) || held.value.type_of() == Some(parameter) {
            return Ok(held.value);
        }
        if held.is_invalid() {
            if parameter.can_be_nil() {
                return Ok(Value::zero(parameter));
            }
            return Err(self.error(format!("invalid value; expected {parameter}")));
        }
        let found = if matches!(held.value, Value::Nil) { held.type_name() } else { held.value.type_name() };
        Err(self.error(format!("wrong type for value; expected {parameter}; got {found}")))
    }
}

const fn boolean(literal: &OperandKind) -> Option<Value> {
    match literal {
        OperandKind::Bool(value) => Some(Value::Bool(*value)),
        _ => None,
    }
}

fn string(literal: &OperandKind) -> Option<Value> {
    match literal {
        OperandKind::String(text) => Some(Value::String(Text::from(text.as_slice()))),
        _ => None,
    }
}

/// As in Go, a literal that is too large is truncated.
#[allow(clippy::cast_possible_truncation, reason = "as in Go")]
fn integer(number: &Number, kind: Int) -> Option<Value> {
    let integer = number.integer?;
    Some(Value::Int(kind, if kind == Int::Int32 { i64::from(integer as i32) } else { integer }))
}

#[allow(clippy::cast_possible_truncation, reason = "as in Go")]
fn unsigned(number: &Number, kind: Uint) -> Option<Value> {
    let unsigned = number.unsigned?;
    Some(Value::Uint(
        kind,
        match kind {
            Uint::Uint8 => u64::from(unsigned as u8),
            Uint::Uint32 => u64::from(unsigned as u32),
            Uint::Uint64 => unsigned,
        },
    ))
}

fn complex(number: &Number) -> Option<Value> {
    number.complex.map(|(real, imaginary)| Value::Complex(real, imaginary))
}
