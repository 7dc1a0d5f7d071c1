//! Actions that control what is rendered.

use super::token::{Keyword, Kind, Token};
use super::{Item, ListEnd, Parser, Result, Scope};
use crate::ast::{Branches, Definition, Invocation, Node, Range};

impl Parser<'_> {
    /// Parses an action after its left delimiter.
    pub(super) fn action(&mut self) -> Result<Item> {
        let token = self.next_after_space();
        let Kind::Keyword(keyword) = token.kind else {
            self.push_back(token);
            return Ok(Item::Node(Node::Action(self.pipeline("command", &Kind::RightDelimiter)?)));
        };
        Ok(Item::Node(match keyword {
            Keyword::If => Node::If(self.branches(keyword, "if")?),
            Keyword::With => Node::With(self.branches(keyword, "with")?),
            Keyword::Range => Node::Range(self.range()?),
            Keyword::Template => Node::Template(self.invocation()?),
            Keyword::Block => Node::Template(self.block()?),
            Keyword::Break => self.jump("{{break}}", Node::Break)?,
            Keyword::Continue => self.jump("{{continue}}", Node::Continue)?,
            Keyword::End => {
                self.expect(&Kind::RightDelimiter, "end")?;
                return Ok(Item::Last(ListEnd::End));
            }
            Keyword::Else => return Ok(Item::Last(self.otherwise()?)),
            Keyword::Define | Keyword::Nil => {
                self.push_back(token);
                Node::Action(self.pipeline("command", &Kind::RightDelimiter)?)
            }
        }))
    }

    /// Parses what follows the keyword `else`. An `if` or `with` is left for `branches`.
    fn otherwise(&mut self) -> Result<ListEnd> {
        let next = self.peek_after_space();
        if !matches!(next.kind, Kind::Keyword(Keyword::If | Keyword::With)) {
            self.expect(&Kind::RightDelimiter, "else")?;
        }
        Ok(ListEnd::Else)
    }

    /// Parses an `if` or `with` after the keyword, with all of its `else` branches and the final `end`.
    fn branches(&mut self, keyword: Keyword, context: &str) -> Result<Branches> {
        let variables = self.scope.variables.len();
        let mut branches = Vec::new();
        let otherwise = loop {
            let condition = self.pipeline(context, &Kind::RightDelimiter)?;
            let (body, end) = self.list()?;
            branches.push((condition, body));
            if matches!(end, ListEnd::End) {
                break Vec::new();
            }
            if self.peek().kind != Kind::Keyword(keyword) {
                break self.last_list()?;
            }
            self.next();
        };
        self.scope.variables.truncate(variables);
        Ok(Branches { branches, otherwise })
    }

    fn range(&mut self) -> Result<Range> {
        let variables = self.scope.variables.len();
        let pipeline = self.pipeline("range", &Kind::RightDelimiter)?;
        self.scope.ranges += 1;
        let (body, end) = self.list()?;
        self.scope.ranges -= 1;
        let otherwise = match end {
            ListEnd::End => Vec::new(),
            ListEnd::Else => self.last_list()?,
        };
        self.scope.variables.truncate(variables);
        Ok(Range { pipeline, body, otherwise })
    }

    /// The nodes after the last `else`.
    fn last_list(&mut self) -> Result<Vec<Node>> {
        match self.list()? {
            (nodes, ListEnd::End) => Ok(nodes),
            (_, ListEnd::Else) => Err(self.error("expected end; found {{else}}".to_owned())),
        }
    }

    fn jump(&mut self, context: &str, node: Node) -> Result<Node> {
        let token = self.next_after_space();
        if token.kind != Kind::RightDelimiter {
            return Err(self.unexpected(&token, context));
        }
        if self.scope.ranges == 0 {
            return Err(self.error(format!("{context} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    /// Parses `{{template "name" pipeline}}` after the keyword.
    fn invocation(&mut self) -> Result<Invocation> {
        const CONTEXT: &str = "template clause";
        let position = self.peek_after_space().position;
        let name = self.string_literal(CONTEXT)?;
        let next: Token<'_> = self.next_after_space();
        let argument = if next.kind == Kind::RightDelimiter {
            None
        } else {
            self.push_back(next);
            Some(self.pipeline(CONTEXT, &Kind::RightDelimiter)?)
        };
        Ok(Invocation { position, name, argument })
    }

    /// Parses `{{block "name" pipeline}}...{{end}}` after the keyword: a definition and its invocation.
    fn block(&mut self) -> Result<Invocation> {
        const CONTEXT: &str = "block clause";
        let position = self.peek_after_space().position;
        let name = self.string_literal(CONTEXT)?;
        let argument = self.pipeline(CONTEXT, &Kind::RightDelimiter)?;
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let body = self.body(CONTEXT)?;
        self.scope = outer;
        self.define(Definition { name: name.clone(), body })?;
        Ok(Invocation { position, name, argument: Some(argument) })
    }
}
