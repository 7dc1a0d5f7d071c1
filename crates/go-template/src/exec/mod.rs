//! Renders a template by walking its tree.

mod call;
mod eval;
mod scope;

use zeroize::Zeroizing;

use super::Template;
use super::ast::{Branches, Command, Definition, Invocation, Node, Operand, Pipeline, Range};
use super::budget::{Allowance, BYTES_PER_STEP, Budget, Buffer, Exceeded};
use super::error::Error;
use super::format;
use super::format::quote;
use super::functions::State;
use super::memory;
use super::value::Value;
use scope::{Held, Scope};

type Result<T> = std::result::Result<T, Error>;

/// What is printed for nil.
pub(super) const NO_VALUE: &str = "<no value>";

/// Renders `template` with `data`, and charges the cost to the allowance.
pub(super) fn render(template: &Template<'_>, data: &Value, allowance: &mut Allowance) -> Result<Zeroizing<Vec<u8>>> {
    let mut executor = Executor {
        template,
        executing: template.name.as_bytes(),
        output: Buffer::default(),
        budget: Budget::new(template.engine.limits, allowance, &template.engine.environment),
        state: State::default(),
        scope: Scope::new(Held::from(data.clone())),
        at: None,
    };
    if let Some(definition) = template.definitions.get(template.name.as_bytes()) {
        executor.list(&Held::from(data.clone()), &definition.body)?;
    }
    *allowance = executor.budget.rest(executor.output.len());
    Ok(executor.output.finish())
}

struct Executor<'t> {
    template: &'t Template<'t>,
    /// The name of the definition that is being rendered.
    executing: &'t [u8],
    output: Buffer,
    budget: Budget,
    /// What functions keep.
    state: State,
    scope: Scope<'t>,
    /// What is being evaluated, for errors.
    at: Option<At<'t>>,
}

/// A part of a template where an error can occur.
#[derive(Clone, Copy)]
enum At<'t> {
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Operand(&'t Operand),
    Invocation(&'t Invocation),
}

/// How rendering continues after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Executor<'t> {
    fn list(&mut self, dot: &Held, nodes: &'t [Node]) -> Result<Flow> {
        self.descend()?;
        let mut flow = Flow::Next;
        for node in nodes {
            flow = self.node(dot, node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.budget.ascend();
        Ok(flow)
    }

    fn node(&mut self, dot: &Held, node: &'t Node) -> Result<Flow> {
        self.steps(1)?;
        match node {
            Node::Text(text) => {
                self.steps(text.len() / BYTES_PER_STEP)?;
                let written = self.output.push(text, &self.budget);
                self.bound(written)?;
                self.check_output()?;
            }
            Node::Action(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                if pipeline.binding.is_none() {
                    self.print(&value)?;
                }
            }
            Node::If(branches) => return self.branches(dot, branches, |_, dot| dot),
            Node::With(branches) => return self.branches(dot, branches, |value, _| value),
            Node::Range(range) => return self.range(dot, range),
            Node::Template(invocation) => self.invocation(dot, invocation)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// `if` or `with`; `new_dot` chooses between the condition's value and the dot.
    fn branches(&mut self, dot: &Held, branches: &'t Branches, new_dot: impl Fn(Held, Held) -> Held) -> Result<Flow> {
        let mark = self.scope.mark();
        let mut flow = None;
        for (condition, body) in &branches.branches {
            let value = self.pipeline(dot, condition)?;
            if value.is_true() {
                flow = Some(self.list(&new_dot(Held::from(value), dot.clone()), body)?);
                break;
            }
        }
        let flow = match flow {
            Some(flow) => flow,
            None => self.list(dot, &branches.otherwise)?,
        };
        self.scope.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Held, range: &'t Range) -> Result<Flow> {
        let mark = self.scope.mark();
        let value = self.pipeline(dot, &range.pipeline)?;
        let variables = range.pipeline.binding.as_ref().map_or(0, |binding| binding.variables.len());
        let has_run = match &value {
            Value::Int(..) | Value::Uint(..) if variables > 1 => {
                let found = value.type_name();
                return Err(
                    self.error(format!("can't use a value of type {found} to iterate over more than one variable"))
                );
            }
            Value::Int(kind, count) => {
                let numbers = (0..*count).map(|number| (Value::Nil, Held::from(Value::Int(*kind, number))));
                self.iterate(range, numbers)?
            }
            Value::Uint(kind, count) => {
                let numbers = (0..*count).map(|number| (Value::Nil, Held::from(Value::Uint(*kind, number))));
                self.iterate(range, numbers)?
            }
            Value::List(list) => {
                let elements = list.iter().enumerate();
                let held = |element: Value| Held::element(element, *list.element_type());
                self.iterate(range, elements.map(|(i, element)| (Value::len(i), held(element))))?
            }
            Value::Bytes(bytes) => {
                let byte = |byte: &u8| Held::from(Value::Uint(super::value::Uint::Uint8, (*byte).into()));
                self.iterate(range, bytes.iter().enumerate().map(|(i, item)| (Value::len(i), byte(item))))?
            }
            Value::Map(map) => {
                let element = *map.element_type();
                self.steps(map.len())?;
                let entries = map.snapshot().into_iter();
                self.iterate(range, entries.map(|(key, value)| (Value::String(key), Held::element(value, element))))?
            }
            Value::Nil => false,
            other => return Err(self.error(format!("range can't iterate over a value of type {}", other.type_name()))),
        };
        // As in Go, a `break` after `else` ends this range, and a `continue` the current round of the enclosing one.
        let flow = if has_run { Flow::Next } else { self.list(dot, &range.otherwise)? };
        let flow = if flow == Flow::Break { Flow::Next } else { flow };
        self.scope.truncate(mark);
        Ok(flow)
    }

    /// Renders the body of a range for each item. Returns whether there were any.
    fn iterate(&mut self, range: &'t Range, items: impl Iterator<Item = (Value, Held)>) -> Result<bool> {
        let mark = self.scope.mark();
        let mut has_run = false;
        for (index, element) in items {
            self.steps(1)?;
            has_run = true;
            if let Some(binding) = &range.pipeline.binding {
                self.bind_item(binding, index, &element)?;
            }
            let flow = self.list(&element, &range.body)?;
            self.scope.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(has_run)
    }

    /// `{{template "name" pipeline}}`
    fn invocation(&mut self, dot: &Held, invocation: &'t Invocation) -> Result<()> {
        self.at = Some(At::Invocation(invocation));
        let Some(definition) = self.template.definitions.get(&invocation.name) else {
            return Err(self.error(format!("template {} not defined", quote::quoted(&invocation.name))));
        };
        let dot = match &invocation.argument {
            Some(argument) => Held::from(self.pipeline(dot, argument)?),
            None => Held::from(Value::Nil),
        };
        self.definition(&dot, definition)
    }

    /// Renders a definition, which sees only its own variables.
    fn definition(&mut self, dot: &Held, definition: &'t Definition) -> Result<()> {
        let executing = std::mem::replace(&mut self.executing, &definition.name);
        let scope = std::mem::replace(&mut self.scope, Scope::new(dot.clone()));
        self.list(dot, &definition.body)?;
        self.executing = executing;
        self.scope = scope;
        Ok(())
    }

    fn print(&mut self, value: &Value) -> Result<()> {
        let before = self.output.len();
        let paid = self.budget.begin(value.text_len());
        self.bound(paid)?;
        let written = match value {
            Value::Nil => self.output.push(NO_VALUE.as_bytes(), &self.budget),
            value => format::print(std::slice::from_ref(value), &mut self.output, &mut self.budget),
        };
        self.bound(written)?;
        memory::touch(self.output.len() - before);
        let paid = self.budget.settle();
        self.bound(paid)?;
        self.check_output()
    }

    fn check_output(&self) -> Result<()> {
        self.bound(self.budget.output(self.output.len()))
    }

    /// Enters a level.
    fn descend(&mut self) -> Result<()> {
        let descended = self.budget.descend();
        self.bound(descended)
    }

    fn steps(&mut self, steps: usize) -> Result<()> {
        let paid = self.budget.steps(steps);
        self.bound(paid)
    }

    /// Turns an exceeded limit into an error.
    fn bound<T>(&self, result: std::result::Result<T, Exceeded>) -> Result<T> {
        result.map_err(|exceeded| self.error(exceeded.to_string()))
    }

    fn error(&self, message: String) -> Error {
        let (position, at) = match self.at {
            Some(At::Pipeline(pipeline)) => (pipeline.position, pipeline.to_string()),
            Some(At::Command(command)) => (command.position, command.to_string()),
            Some(At::Operand(operand)) => (operand.position, operand.to_string()),
            Some(At::Invocation(invocation)) => (invocation.position, invocation.to_string()),
            None => (0, String::new()),
        };
        let executing = String::from_utf8_lossy(self.executing).into_owned();
        Error::at(&self.template.name, &self.template.text, position, message).while_rendering(executing, at)
    }
}
