//! Parses a template.
//!
//! A recursive-descent parser with up to three tokens of lookahead, because spaces are tokens: `$x := 1` declares a
//! variable, `$x 1` is a command.

mod control;
mod lexer;
pub(super) mod number;
mod pipeline;
mod token;
mod unquote;

use std::collections::{BTreeMap, HashMap};

pub use lexer::Delimiters;
pub(super) use lexer::decode;

use super::ast::{Definition, Node};
use super::error::{Error, line_and_column};
use super::format::quote;
use lexer::Lexer;
use token::{Keyword, Kind, Token};

type Result<T> = std::result::Result<T, Error>;

/// The deepest nesting of actions and parentheses.
const MAX_DEPTH: usize = 100;

/// The most parts of a template: texts, actions, and the operands in them. Each takes some hundred bytes of memory for
/// as little as two bytes of text.
pub(super) const MAX_PARTS: usize = 20_000;

/// The result of parsing a text.
pub(super) struct Parsed {
    /// The definitions by name, including the template itself.
    pub(super) definitions: BTreeMap<Vec<u8>, Definition>,
    /// The number of parts.
    pub(super) parts: usize,
}

/// Parses `text`. `is_function` says which functions exist.
pub(super) fn parse(
    name: &str,
    text: &[u8],
    delimiters: &Delimiters,
    is_function: &dyn Fn(&[u8]) -> bool,
) -> Result<Parsed> {
    let mut parser = Parser {
        name,
        text,
        lexer: Lexer::new(text, delimiters),
        is_function,
        pushed_back: Vec::new(),
        last_position: 0,
        depth: 0,
        parts: 0,
        scope: Scope::new(),
        definitions: BTreeMap::new(),
    };
    let body = parser.template()?;
    parser.define(Definition { name: name.as_bytes().to_vec(), body })?;
    Ok(Parsed { definitions: parser.definitions, parts: parser.parts })
}

struct Parser<'t> {
    name: &'t str,
    text: &'t [u8],
    lexer: Lexer<'t>,
    is_function: &'t dyn Fn(&[u8]) -> bool,
    /// Tokens that were read too far, the next one last.
    pushed_back: Vec<Token<'t>>,
    /// Where the lexer's last token began, for errors.
    last_position: usize,
    depth: usize,
    parts: usize,
    scope: Scope,
    definitions: BTreeMap<Vec<u8>, Definition>,
}

/// What is known inside one definition.
struct Scope {
    variables: Variables,
    /// The number of open `range` actions.
    ranges: usize,
    /// Where the innermost action began, while it is being parsed.
    action: Option<usize>,
}

impl Scope {
    fn new() -> Self {
        let mut variables = Variables::default();
        variables.declare(b"$");
        Self { variables, ranges: 0, action: None }
    }
}

/// The variables in scope, with their `$`.
#[derive(Default)]
struct Variables {
    /// In the order of their declarations.
    names: Vec<Vec<u8>>,
    /// How often each was declared.
    declared: HashMap<Vec<u8>, usize>,
}

impl Variables {
    const fn len(&self) -> usize {
        self.names.len()
    }

    fn declare(&mut self, name: &[u8]) {
        self.names.push(name.to_vec());
        *self.declared.entry(name.to_vec()).or_default() += 1;
    }

    fn exists(&self, name: &[u8]) -> bool {
        self.declared.contains_key(name)
    }

    /// Keeps only the first `len` variables.
    fn truncate(&mut self, len: usize) {
        for name in self.names.drain(len..) {
            if let Some(count) = self.declared.get_mut(&name) {
                *count -= 1;
                if *count == 0 {
                    self.declared.remove(&name);
                }
            }
        }
    }
}

/// What ended a list of nodes.
enum ListEnd {
    /// `{{end}}`
    End,
    /// `{{else}}`. The next token is the one after the keyword if that is `if` or `with`.
    Else,
}

/// One step of a list.
enum Item {
    Node(Node),
    Last(ListEnd),
}

impl<'t> Parser<'t> {
    /// Parses the whole template.
    fn template(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            if self.peek().kind == Kind::End {
                return Ok(nodes);
            }
            if self.peek().kind == Kind::LeftDelimiter {
                let delimiter = self.next();
                let word = self.next_after_space();
                if word.kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.push_back(word);
                self.push_back(delimiter);
            }
            match self.item()? {
                Item::Node(node) => nodes.push(node),
                Item::Last(ListEnd::End) => return Err(self.error("unexpected {{end}}".to_owned())),
                Item::Last(ListEnd::Else) => return Err(self.error("unexpected {{else}}".to_owned())),
            }
        }
    }

    /// Parses the nodes up to `end` or `else`.
    fn list(&mut self) -> Result<(Vec<Node>, ListEnd)> {
        self.nested(|parser| {
            let mut nodes = Vec::new();
            while parser.peek_after_space().kind != Kind::End {
                match parser.item()? {
                    Item::Node(node) => nodes.push(node),
                    Item::Last(end) => return Ok((nodes, end)),
                }
            }
            Err(parser.error("unexpected EOF".to_owned()))
        })
    }

    /// Counts a part.
    fn part(&mut self) -> Result<()> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            let problem = format!(
                "it has more than {MAX_PARTS} texts, actions and operands: make loops of what repeats, or several templates"
            );
            return Err(self.error(problem));
        }
        Ok(())
    }

    /// Parses text or an action.
    fn item(&mut self) -> Result<Item> {
        self.part()?;
        let token = self.next_after_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text.to_vec().into()))),
            Kind::LeftDelimiter => {
                self.scope.action = Some(token.position);
                let item = self.action()?;
                self.scope.action = None;
                Ok(item)
            }
            _ => Err(self.unexpected(&token, "input")),
        }
    }

    /// Parses `{{define "name"}}...{{end}}` after the keyword.
    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let name = self.string_literal(CONTEXT)?;
        self.expect(&Kind::RightDelimiter, CONTEXT)?;
        let body = self.body(CONTEXT)?;
        self.scope = outer;
        self.define(Definition { name, body })
    }

    /// Parses the nodes up to `end`, where `else` is not allowed.
    fn body(&mut self, context: &str) -> Result<Vec<Node>> {
        match self.list()? {
            (body, ListEnd::End) => Ok(body),
            (_, ListEnd::Else) => Err(self.error(format!("unexpected {{{{else}}}} in {context}"))),
        }
    }

    /// Adds a definition. An empty one does not replace another, and is not an error next to it.
    fn define(&mut self, definition: Definition) -> Result<()> {
        match self.definitions.get(&definition.name) {
            Some(existing) if !existing.is_empty() => {
                if definition.is_empty() {
                    return Ok(());
                }
                let name = quote::quoted(&definition.name);
                Err(self.error(format!("template: multiple definition of template {name}")))
            }
            _ => {
                self.definitions.insert(definition.name.clone(), definition);
                Ok(())
            }
        }
    }

    fn string_literal(&mut self, context: &str) -> Result<Vec<u8>> {
        let token = self.next_after_space();
        match token.kind {
            Kind::String | Kind::RawString => {
                let name = unquote::string(token.text).map(|name| name.to_vec());
                name.ok_or_else(|| self.error("invalid syntax".to_owned()))
            }
            _ => Err(self.unexpected(&token, context)),
        }
    }

    fn next(&mut self) -> Token<'t> {
        self.pushed_back.pop().unwrap_or_else(|| {
            let token = self.lexer.next_token();
            self.last_position = token.position;
            token
        })
    }

    fn push_back(&mut self, token: Token<'t>) {
        self.pushed_back.push(token);
    }

    fn peek(&mut self) -> Token<'t> {
        let token = self.next();
        self.push_back(token.clone());
        token
    }

    fn next_after_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_after_space(&mut self) -> Token<'t> {
        let token = self.next_after_space();
        self.push_back(token.clone());
        token
    }

    fn expect(&mut self, kind: &Kind, context: &str) -> Result<Token<'t>> {
        let token = self.next_after_space();
        if token.kind == *kind { Ok(token) } else { Err(self.unexpected(&token, context)) }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("actions and parentheses are nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn unexpected(&self, token: &Token<'_>, context: &str) -> Error {
        let Kind::Error(message) = &token.kind else {
            return self.error(format!("unexpected {token} in {context}"));
        };
        let line = |position: usize| line_and_column(self.text, position).0;
        match self.scope.action {
            Some(action) if line(action) != line(token.position) => {
                let started = format!("started at {}:{}", self.name, line(action));
                let separator = if message.ends_with(" action") { " " } else { " in action " };
                self.error(format!("{message}{separator}{started}"))
            }
            _ => self.error(message.clone()),
        }
    }

    fn error(&self, message: String) -> Error {
        Error::at(self.name, self.text, self.last_position, message)
    }
}
