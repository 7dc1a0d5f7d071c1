//! A parsed template.
//!
//! Positions are byte offsets into the text. `Display` writes a node as an error message shows it: as in the template,
//! but without the content of strings. A template may come from a Secret, so its text is wiped, too.

use std::fmt;

use zeroize::Zeroizing;

use super::format::quote;
use super::parser::number::Number;

/// A template, or a part of it named by `define` or `block`.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: Vec<u8>,
    pub(super) body: Vec<Node>,
}

impl Definition {
    /// Whether it contains nothing but white space.
    pub(super) fn is_empty(&self) -> bool {
        self.body.iter().all(|node| matches!(node, Node::Text(text) if text.trim_ascii().is_empty()))
    }
}

#[derive(Debug)]
pub(super) enum Node {
    Text(Zeroizing<Vec<u8>>),
    /// A pipeline whose value is printed or assigned to a variable.
    Action(Pipeline),
    If(Branches),
    With(Branches),
    Range(Range),
    Template(Invocation),
    Break,
    Continue,
}

/// `if` or `with`, with all `else if` or `else with`, and `else`.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) branches: Vec<(Pipeline, Vec<Node>)>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Range {
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `{{template "name" pipeline}}`
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) position: usize,
    pub(super) name: Vec<u8>,
    pub(super) argument: Option<Pipeline>,
}

/// `$x, $y := command | command`
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) position: usize,
    pub(super) binding: Option<Binding>,
    pub(super) commands: Vec<Command>,
}

/// The variables that a pipeline sets, with their `$`.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) kind: BindingKind,
    pub(super) variables: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindingKind {
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// An operand and its arguments; at least one.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) operand: Operand,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) position: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Bool(bool),
    Number(Number),
    String(Zeroizing<Vec<u8>>),
    Nil,
    Dot,
    /// `.a.b`
    Field(Vec<Vec<u8>>),
    /// `$x.a.b`, the name with its `$`.
    Variable {
        name: Vec<u8>,
        fields: Vec<Vec<u8>>,
    },
    Function(Vec<u8>),
    /// `(pipeline)`
    Pipeline(Box<Pipeline>),
    /// `(pipeline).a.b`, `function.a.b`
    Chain {
        base: Box<Operand>,
        fields: Vec<Vec<u8>>,
    },
}

impl Node {
    /// Whether it calls a function whose name satisfies `is`.
    pub(super) fn calls(&self, is: &mut impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Text(_) | Self::Break | Self::Continue => false,
            Self::Action(pipeline) => pipeline.calls(is),
            Self::If(branches) | Self::With(branches) => {
                branches.branches.iter().any(|(condition, body)| condition.calls(is) || any_calls(body, is))
                    || any_calls(&branches.otherwise, is)
            }
            Self::Range(range) => {
                range.pipeline.calls(is) || any_calls(&range.body, is) || any_calls(&range.otherwise, is)
            }
            Self::Template(invocation) => invocation.argument.as_ref().is_some_and(|argument| argument.calls(is)),
        }
    }
}

fn any_calls(nodes: &[Node], is: &mut impl FnMut(&[u8]) -> bool) -> bool {
    nodes.iter().any(|node| node.calls(is))
}

impl Pipeline {
    fn calls(&self, is: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let mut operands =
            self.commands.iter().flat_map(|command| [&command.operand].into_iter().chain(&command.arguments));
        operands.any(|operand| operand.calls(is))
    }
}

impl Operand {
    fn calls(&self, is: &mut impl FnMut(&[u8]) -> bool) -> bool {
        match &self.kind {
            OperandKind::Function(name) => is(name),
            OperandKind::Pipeline(pipeline) => pipeline.calls(is),
            OperandKind::Chain { base, .. } => base.calls(is),
            OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::String(_)
            | OperandKind::Nil
            | OperandKind::Dot
            | OperandKind::Field(_)
            | OperandKind::Variable { .. } => false,
        }
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote::quoted(&self.name))?;
        if let Some(argument) = &self.argument {
            write!(f, " {argument}")?;
        }
        f.write_str("}}")
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(binding) = &self.binding {
            for (i, variable) in binding.variables.iter().enumerate() {
                write!(f, "{}{}", if i > 0 { ", " } else { "" }, String::from_utf8_lossy(variable))?;
            }
            f.write_str(if binding.kind == BindingKind::Assign { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Grouped(&self.operand))?;
        for argument in &self.arguments {
            write!(f, " {}", Grouped(argument))?;
        }
        Ok(())
    }
}

/// An operand, in parentheses if it is a pipeline.
struct Grouped<'a>(&'a Operand);

impl fmt::Display for Grouped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            OperandKind::Pipeline(pipeline) => write!(f, "({pipeline})"),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = match &self.kind {
            OperandKind::Bool(value) => return write!(f, "{value}"),
            OperandKind::Number(number) => return f.write_str(&number.text),
            OperandKind::String(_) => return f.write_str("\"...\""),
            OperandKind::Nil => return f.write_str("nil"),
            OperandKind::Dot => return f.write_str("."),
            OperandKind::Function(name) => return f.write_str(&String::from_utf8_lossy(name)),
            OperandKind::Pipeline(pipeline) => return write!(f, "{pipeline}"),
            OperandKind::Field(fields) => fields,
            OperandKind::Variable { name, fields } => {
                f.write_str(&String::from_utf8_lossy(name))?;
                fields
            }
            OperandKind::Chain { base, fields } => {
                write!(f, "{}", Grouped(base))?;
                fields
            }
        };
        for field in fields {
            write!(f, ".{}", String::from_utf8_lossy(field))?;
        }
        Ok(())
    }
}
