//! Pipelines, commands and operands.

use super::number::Number;
use super::token::{Keyword, Kind, Token};
use super::{Parser, Result, unquote};
use crate::ast::{Binding, BindingKind, Command, Operand, OperandKind, Pipeline};
use crate::format::quote;

/// The most variables in scope: during rendering, each use of a variable searches through them.
const MAX_VARIABLES: usize = 1000;

impl<'t> Parser<'t> {
    /// Parses `$x := command | command` up to and including `end`.
    pub(super) fn pipeline(&mut self, context: &str, end: &Kind) -> Result<Pipeline> {
        let position = self.peek_after_space().position;
        let binding = self.binding(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.next_after_space();
            if token.kind == *end {
                break;
            }
            if !starts_operand(&token.kind) {
                return Err(self.unexpected(&token, context));
            }
            self.push_back(token);
            commands.push(self.command()?);
        }
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        // Only the first command may be a plain value: the others receive the preceding value.
        for (i, command) in commands.iter().enumerate().skip(1) {
            if command.operand.kind.is_value() {
                return Err(self.error(format!("non executable command in pipeline stage {}", i + 1)));
            }
        }
        commands.shrink_to_fit();
        Ok(Pipeline { position, binding, commands })
    }

    /// Parses `$x :=`, `$x =` or, in a range, `$i, $x :=`, if there is one.
    fn binding(&mut self, context: &str) -> Result<Option<Binding>> {
        let mut variables = Vec::new();
        loop {
            let variable = self.peek_after_space();
            if variable.kind != Kind::Variable {
                // After a comma, what follows is a range without a value.
                let kind = BindingKind::Declare;
                return Ok((!variables.is_empty()).then_some(Binding { kind, variables }));
            }
            self.next();
            let adjacent = self.peek();
            let next = self.peek_after_space();
            let kind = match next.kind {
                Kind::Assign => Some(BindingKind::Assign),
                Kind::Declare => Some(BindingKind::Declare),
                Kind::Character if next.text == b"," => None,
                _ => {
                    if adjacent.kind == Kind::Space {
                        self.push_back(adjacent);
                    }
                    self.push_back(variable);
                    let kind = BindingKind::Declare;
                    return Ok((!variables.is_empty()).then_some(Binding { kind, variables }));
                }
            };
            self.next_after_space();
            variables.push(variable.text.to_vec());
            self.declare(variable.text)?;
            if let Some(kind) = kind {
                return Ok(Some(Binding { kind, variables }));
            }
            if context != "range" || variables.len() == 2 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            let follows = self.peek_after_space().kind;
            if !matches!(follows, Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis) {
                return Err(self.error("range can only initialize variables".to_owned()));
            }
        }
    }

    fn declare(&mut self, variable: &[u8]) -> Result<()> {
        if self.scope.variables.len() == MAX_VARIABLES {
            return Err(self.error(format!("more than {MAX_VARIABLES} variables are declared")));
        }
        self.scope.variables.declare(variable);
        Ok(())
    }

    /// Parses operands up to and including a pipe, or up to the end of the pipeline.
    fn command(&mut self) -> Result<Command> {
        let position = self.peek_after_space().position;
        let mut operands = Vec::new();
        loop {
            self.peek_after_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParenthesis => {
                    self.push_back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(&token, "operand")),
            }
        }
        let mut operands = operands.into_iter();
        match operands.next() {
            Some(operand) => {
                let mut arguments: Vec<_> = operands.collect();
                arguments.shrink_to_fit();
                Ok(Command { position, operand, arguments })
            }
            None => Err(self.error("empty command".to_owned())),
        }
    }

    /// Parses a term and the fields after it; `None` if no term follows.
    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(term) = self.term()? else { return Ok(None) };
        self.part()?;
        let position = self.peek().position;
        let mut chained = Vec::new();
        while self.peek().kind == Kind::Field {
            chained.push(field_name(&self.next()));
        }
        if chained.is_empty() {
            return Ok(Some(term));
        }
        let kind = match term.kind {
            OperandKind::Field(mut fields) => {
                fields.append(&mut chained);
                OperandKind::Field(fields)
            }
            OperandKind::Variable { name, mut fields } => {
                fields.append(&mut chained);
                OperandKind::Variable { name, fields }
            }
            OperandKind::Function(_) | OperandKind::Pipeline(_) | OperandKind::Chain { .. } => {
                OperandKind::Chain { base: Box::new(term), fields: chained }
            }
            _ => {
                let is_string = matches!(term.kind, OperandKind::String(_));
                let shown = if is_string { "string".to_owned() } else { quote::quoted(term.to_string().as_bytes()) };
                return Err(self.error(format!("unexpected . after term {shown}")));
            }
        };
        Ok(Some(Operand { position, kind }))
    }

    /// Parses a literal, function, field, variable, or pipeline in parentheses.
    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.next_after_space();
        let position = token.position;
        let kind = match token.kind {
            Kind::Bool => OperandKind::Bool(token.text == b"true"),
            Kind::CharConstant => self.number(Number::parse_character(token.text))?,
            Kind::Complex => self.number(Number::parse_complex(token.text))?,
            Kind::Number => self.number(Number::parse(token.text))?,
            Kind::String | Kind::RawString => match unquote::string(token.text) {
                Some(text) => OperandKind::String(text),
                None => return Err(self.error("invalid syntax".to_owned())),
            },
            Kind::Keyword(Keyword::Nil) => OperandKind::Nil,
            Kind::Dot => OperandKind::Dot,
            Kind::Field => OperandKind::Field(vec![field_name(&token)]),
            Kind::Variable => self.variable(&token)?,
            Kind::Identifier => self.function(&token)?,
            Kind::LeftParenthesis => {
                let pipeline =
                    self.nested(|parser| parser.pipeline("parenthesized pipeline", &Kind::RightParenthesis))?;
                return Ok(Some(Operand {
                    position: pipeline.position,
                    kind: OperandKind::Pipeline(Box::new(pipeline)),
                }));
            }
            _ => {
                self.push_back(token);
                return Ok(None);
            }
        };
        Ok(Some(Operand { position, kind }))
    }

    fn number(&self, parsed: std::result::Result<Number, String>) -> Result<OperandKind> {
        parsed.map(OperandKind::Number).map_err(|message| self.error(message))
    }

    fn variable(&self, token: &Token<'t>) -> Result<OperandKind> {
        if !self.scope.variables.exists(token.text) {
            return Err(self.error(format!("undefined variable {}", quote::quoted(token.text))));
        }
        Ok(OperandKind::Variable { name: token.text.to_vec(), fields: Vec::new() })
    }

    fn function(&self, token: &Token<'t>) -> Result<OperandKind> {
        if !(self.is_function)(token.text) {
            return Err(self.error(format!("function {} not defined", quote::quoted(token.text))));
        }
        Ok(OperandKind::Function(token.text.to_vec()))
    }
}

impl OperandKind {
    /// Whether it cannot receive the value of the preceding command.
    const fn is_value(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Dot | Self::Nil | Self::Number(_) | Self::String(_))
    }
}

const fn starts_operand(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::CharConstant
            | Kind::Complex
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Keyword(Keyword::Nil)
            | Kind::RawString
            | Kind::String
            | Kind::Variable
            | Kind::LeftParenthesis
    )
}

/// The name of a field without its dot.
fn field_name(token: &Token<'_>) -> Vec<u8> {
    token.text.strip_prefix(b".").unwrap_or(token.text).to_vec()
}
