//! Properties that hold for any YAML. The meaning of YAML is tested in `tests/conformance/eso`.

use proptest::prelude::*;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Error;
use crate::{Allowance, Engine, Limits, Text, Value, funcs};

fn read_json(text: &[u8]) -> Result<serde_json::Value, Error> {
    super::read_json(text, &mut Allowance::new())
}

fn read_strings(text: &[u8]) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Error> {
    super::read_strings(text, &mut Allowance::new())
}

fn render(template: &str, data: &Value) -> Result<Vec<u8>, String> {
    let engine = Engine::new(funcs::all());
    let template = engine.parse("t", template.as_bytes()).map_err(|error| error.to_string())?;
    Ok(template.render(data).map_err(|error| error.to_string())?.to_vec())
}

/// A document in which each line expands to ten times the previous one.
fn bomb(lines: usize) -> String {
    let line = |line: usize| {
        let aliases = vec![format!("*a{}", line - 1); 10].join(", ");
        format!("a{line}: &a{line} [{aliases}]\n")
    };
    format!("a0: &a0 [x]\n{}", (1..lines).map(line).collect::<String>())
}

#[test]
fn aliases_do_not_make_a_small_document_large() {
    let refused = Err(Error::Syntax("document contains excessive aliasing".to_owned()));
    assert_eq!(read_json(bomb(9).as_bytes()), refused);
    assert!(read_json(bomb(2).as_bytes()).is_ok());
    let rendered = render("{{ (fromYaml .).Error }}", &Value::string(&bomb(20))).unwrap();
    assert!(rendered.ends_with(b"document contains excessive aliasing"));
}

#[test]
fn deep_nesting_is_refused_and_ends_nothing_else() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let text = open.repeat(100_000) + "x" + &close.repeat(100_000);
        assert!(matches!(read_json(text.as_bytes()), Err(Error::Syntax(_))), "{open}");
    }
    let deep = "{{ $d := dict }}{{ range 5000 }}{{ $d = dict \"a\" $d }}{{ end }}{{ toYaml $d }}";
    let error = render(deep, &Value::Nil).unwrap_err();
    assert!(error.contains("levels of nesting"), "{error}");
}

#[test]
fn reading_and_writing_are_paid_for() {
    let engine = Engine::new(funcs::all()).with_limits(Limits { steps: 20_000, ..Limits::default() });
    let text = Value::string(&"x".repeat(100_000));
    for function in ["toYaml", "fromYaml"] {
        let template =
            engine.parse("t", format!("{{{{ range 4 }}}}{{{{ $x := {function} $ }}}}{{{{ end }}}}").as_bytes());
        let error = template.unwrap().render(&text).unwrap_err();
        assert!(error.to_string().contains("the template takes more than 20000 steps"), "{error}");
    }
}

#[test]
fn errors_hold_no_value() {
    for text in
        ["a: !!int hunter2", "a: *hunter2", "a: [hunter2", "hunter2: [}", "[hunter2]: a", "\"hunter2", "- hunter2"]
    {
        let error = read_strings(text.as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn a_text_is_read_as_it_was_written(text in any::<String>()) {
        // As in Go, these are read as something else, or not at all.
        prop_assume!(!text.contains(|c: char| ('\u{7f}'..'\u{a0}').contains(&c) || "\u{fffe}\u{ffff}".contains(c)));
        let template = "{{ (toYaml (dict \"k\" .) | fromYaml).k }}";
        let read = render(template, &Value::String(Text::from(text.as_str())));
        prop_assert_eq!(read, Ok(text.into_bytes()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..60), yaml in "[-?:,\\[\\]{}#&*!|>'\"%@`a1 \\n]{0,30}") {
        let _ = read_json(&text);
        let _ = read_json(yaml.as_bytes());
        let _ = read_strings(yaml.as_bytes());
    }
}
