//! Which names a template needs of its data.

use std::collections::BTreeSet;

use super::ast::{Node, Operand, OperandKind, Pipeline};

/// What the dot is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    /// What the template was given.
    Data,
    /// Something else, as within `range` and `with`.
    Other,
}

/// The names at the top of the data that nodes of a template's own body read as a field, such as `a` in `{{ .a.b }}` or `{{ $.a }}`. What is read
/// by a function, as in `{{ index . "a" }}`, is not among them, nor what a template of another name reads.
pub(super) fn of(body: &[Node]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    nodes(body, Dot::Data, &mut found);
    found
}

fn nodes(body: &[Node], dot: Dot, found: &mut BTreeSet<String>) {
    for node in body {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Action(action) => pipeline(action, dot, found),
            Node::If(branches) => {
                for (condition, body) in &branches.branches {
                    pipeline(condition, dot, found);
                    nodes(body, dot, found);
                }
                nodes(&branches.otherwise, dot, found);
            }
            Node::With(branches) => {
                for (condition, body) in &branches.branches {
                    pipeline(condition, dot, found);
                    nodes(body, Dot::Other, found);
                }
                nodes(&branches.otherwise, dot, found);
            }
            Node::Range(range) => {
                pipeline(&range.pipeline, dot, found);
                nodes(&range.body, Dot::Other, found);
                nodes(&range.otherwise, dot, found);
            }
            Node::Template(invocation) => {
                if let Some(argument) = &invocation.argument {
                    pipeline(argument, dot, found);
                }
            }
        }
    }
}

fn pipeline(pipeline: &Pipeline, dot: Dot, found: &mut BTreeSet<String>) {
    for command in &pipeline.commands {
        operand(&command.operand, dot, found);
        command.arguments.iter().for_each(|argument| operand(argument, dot, found));
    }
}

fn operand(found_in: &Operand, dot: Dot, found: &mut BTreeSet<String>) {
    let fields = match &found_in.kind {
        OperandKind::Field(fields) if dot == Dot::Data => fields,
        OperandKind::Variable { name, fields } if name == b"$" => fields,
        OperandKind::Pipeline(inner) => return pipeline(inner, dot, found),
        OperandKind::Chain { base, .. } => return operand(base, dot, found),
        _ => return,
    };
    found.extend(fields.first().map(|name| String::from_utf8_lossy(name).into_owned()));
}

#[cfg(test)]
mod tests {
    use crate::Engine;
    use crate::funcs;

    #[test]
    fn names_are_those_that_are_read_as_fields_of_the_data() {
        let engine = Engine::new(funcs::all());
        for (text, names) in [
            ("{{ .a.b }} {{ $.c }} {{ .d | b64enc | quote }}", "a c d"),
            ("{{ printf \"%s:%s\" .user (.password | upper) }}", "password user"),
            ("{{ if .a }}{{ .b }}{{ else }}{{ .c }}{{ end }}", "a b c"),
            ("{{ range .list }}{{ .inner }}{{ $.outer }}{{ end }}{{ with .x }}{{ .y }}{{ end }}", "list outer x"),
            ("{{ index . \"a\" }} {{ . | toJson }} {{ $v := .a }}{{ $v.b }}", "a"),
            ("{{ define \"other\" }}{{ .x }}{{ end }}{{ template \"other\" .a }}", "a"),
            ("{{ (.a | fromJson).b }}", "a"),
        ] {
            let parsed = engine.parse("t", text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = parsed.names();
            assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), names, "{text}");
        }
    }
}
