//! Properties that hold for any template. The meaning of templates is tested in `tests/conformance/template`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Call, Engine, Function, FunctionError, Limits, List, Map, Text, Type, Value};

/// `list` and `set`, so that values can be nested.
fn engine() -> Engine {
    let list = |items: &[Value], _: &mut Call<'_>| Ok(Value::List(List::new(&Type::Any, items.to_vec())));
    let set = |arguments: &[Value], call: &mut Call<'_>| {
        let [Value::Map(map), Value::String(key), value] = arguments else { return Ok(Value::Nil) };
        let set = map.set(key.clone(), value.clone(), call.budget);
        set.map_err(|error| FunctionError::new(error.to_string()))?;
        Ok(Value::Map(map.clone()))
    };
    let dict = |_: &[Value], _: &mut Call<'_>| Ok(Value::Map(Map::new(&Type::Any)));
    Engine::new([
        ("list", Function::variadic(&[], Type::Any, list)),
        ("set", Function::fixed(&[Type::DICT, Type::String, Type::Any], set)),
        ("dict", Function::fixed(&[], dict)),
    ])
}

fn secrets() -> Value {
    let entry = |key: &str, value: &str| (Text::from(key), Value::string(value));
    let entries = BTreeMap::from([entry("password", "hunter2"), entry("number", "4711"), entry("empty", "")]);
    Value::Map(Map::from_entries(&Type::String, entries))
}

fn render(template: &str) -> Result<String, String> {
    let engine = engine();
    let template = engine.parse("secret.yaml", template.as_bytes()).map_err(|error| error.to_string())?;
    let output = template.render(&secrets()).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[test]
fn a_template_is_rendered_with_the_values_of_a_secret() {
    assert_eq!(render("password={{ .password }}\n").as_deref(), Ok("password=hunter2\n"));
}

#[test]
fn an_error_names_the_template_the_line_the_column_and_the_key() {
    assert_eq!(
        render("a: 1\nb: {{ .pasword }}").unwrap_err(),
        "template: secret.yaml:2:6: executing \"secret.yaml\" at <.pasword>: map has no entry for key \"pasword\""
    );
    assert_eq!(
        render("a: 1\nb: {{ nosuch .password }}").unwrap_err(),
        "template: secret.yaml:2:6: function \"nosuch\" not defined"
    );
}

#[test]
fn an_error_shows_neither_a_value_nor_the_text_of_a_string() {
    let templates = [
        "{{ range .password }}{{ end }}",
        "{{ range $i, $x := (len .password) }}{{ end }}",
        "{{ index .password 99 }}",
        "{{ index . (printf \"hunter2\") .number 1 }}",
        "{{ .password.x }}",
        "{{ len (len .password) }}",
        "{{ eq .password 1 }}",
        "{{ eq (list .password) (list .password) }}",
        "{{ call .password }}",
        "{{ slice .password 99 }}",
        "{{ printf \"hunter2\" | index . | index 1 }}",
        "{{ \"hunter2\".x }}",
        "{{ print (\"hunter2\" \"hunter2\") }}",
        "{{ \"hunter2\" \"x\" }}",
        "{{ if \"hunter2\" := 1 }}{{ end }}",
        "{{ 'hunter2' }}",
        "{{ template \"x\" \"hunter2\" }}",
        "{{ set . .password (printf .password) }}",
        "{{ set (dict) 1 \"hunter2\" }}",
        "{{ not .password `hunter2` }}",
    ];
    for template in templates {
        let error = render(template).unwrap_err();
        assert!(!error.contains("hunter2") && !error.contains("4711"), "{error}");
    }
}

#[test]
fn debug_output_holds_no_value() {
    let printed = format!("{:?} {:?}", secrets(), Text::from("hunter2"));
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_template_that_takes_too_much_is_refused_and_says_so() {
    let refused = [
        ("{{ range 1000000000 }}{{ end }}", "steps"),
        ("{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}{{ end }}", "steps"),
        ("{{ $x := \"x\" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}", "holds more than"),
        ("{{ range 100000 }}0123456789012345678901234567890123456789{{ end }}", "renders more than"),
        ("{{ printf \"%1000000d%1000000d%1000000d\" 1 1 1 }}", "renders more than"),
        ("{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}", "levels of nesting"),
        ("{{ $x := list }}{{ range 1000 }}{{ $x = list $x }}{{ end }}{{ print $x }}", "levels of nesting"),
        ("{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}", "more than"),
    ];
    for (template, reason) in refused {
        let error = render(template).unwrap_err();
        assert!(error.contains(reason), "{template}: {error}");
    }
}

#[test]
fn an_error_about_something_long_is_short() {
    let name = "x".repeat(100_000);
    for template in
        [format!("{{{{ .{name} }}}}"), format!("{{{{ {name} }}}}"), format!("{{{{ template \"{name}\" }}}}")]
    {
        assert!(render(&template).unwrap_err().len() < 4000);
    }
}

#[test]
fn variables_without_number_are_refused() {
    assert!(render(&"{{ $x := 1 }}".repeat(2000)).unwrap_err().contains("more than 1000 variables"));
}

#[test]
fn limits_can_be_set() {
    let engine = engine().with_limits(Limits { steps: 10, ..Limits::default() });
    let template = engine.parse("t", b"{{ range 100 }}{{ . }}{{ end }}").unwrap();
    assert!(template.render(&Value::Nil).unwrap_err().to_string().contains("more than 10 steps"));
}

#[test]
fn a_map_cannot_be_put_into_itself() {
    for template in [
        "{{ $a := dict }}{{ $b := list (set dict \"a\" $a) }}{{ $_ := set $a \"b\" $b }}",
        "{{ $a := dict }}{{ $_ := set $a \"a\" $a }}",
    ] {
        assert!(render(template).unwrap_err().contains("a map cannot contain itself"), "{template}");
    }
    assert_eq!(render("{{ $a := dict }}{{ set dict \"x\" (set $a \"y\" 1) }}").as_deref(), Ok("map[x:map[y:1]]"));
}

/// Each is nested more deeply than any reasonable template; none may exhaust the stack.
#[test]
fn deep_nesting_is_refused_but_never_fatal() {
    const DEEP: usize = 20_000;
    let refused = [
        "{{ if true }}".repeat(DEEP),
        format!("{}{}", "{{ if true }}".repeat(DEEP), "{{ end }}".repeat(DEEP)),
        format!("{{{{ {}1{} }}}}", "(".repeat(DEEP), ")".repeat(DEEP)),
        format!("{{{{ {}1{} }}}}", "(print ".repeat(DEEP), ")".repeat(DEEP)),
        "{{ range 1 }}".repeat(DEEP),
        "{{ block \"x\" . }}".repeat(DEEP),
    ];
    for template in refused {
        assert!(render(&template).unwrap_err().contains("nested more than"), "{}", &template[..40]);
    }
    // As deep as the parser allows, in every round of a recursion.
    let nested = format!("{}{{{{ template \"x\" }}}}{}", "{{ if true }}".repeat(90), "{{ end }}".repeat(90));
    assert!(render(&format!("{{{{ define \"x\" }}}}{nested}{{{{ end }}}}{nested}")).unwrap_err().contains("levels"));
    let nested = format!("{{{{ {}1{} }}}}", "(print ".repeat(90), ")".repeat(90));
    assert_eq!(render(&nested).as_deref(), Ok("1"));
    // A long chain is not deeply nested.
    let chain = format!("{{{{ if .empty }}}}{}{{{{ else }}}}x{{{{ end }}}}", "{{ else if .empty }}".repeat(DEEP / 4));
    assert_eq!(render(&chain).as_deref(), Ok("x"));
}

#[test]
fn values_that_are_nested_deeply_are_dropped_without_recursion() {
    assert_eq!(render("{{ $x := list }}{{ range 100000 }}{{ $x = list $x }}{{ end }}").as_deref(), Ok(""));
    let maps = "{{ $m := dict }}{{ $top := $m }}{{ range 20000 }}{{ $n := dict }}{{ $_ := set $m \"n\" $n }}{{ $m = $n }}{{ end }}";
    assert_eq!(render(maps).as_deref(), Ok(""));
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(template in "\\PC{0,60}") {
        let _ = render(&template);
    }

    #[test]
    fn any_bytes_are_a_template_or_an_error(template: Vec<u8>) {
        let engine = engine();
        if let Ok(template) = engine.parse("t", &template) {
            let _ = template.render(&secrets());
        }
    }

    #[test]
    fn pieces_of_templates_are_a_template_or_an_error(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "{{", "}}", "{{-", "-}}", " ", "\n", ".", ".password", "$", "$x", ":=", "=", "|", "(", ")", ",", "if ", "else", "end",
            "range ", "with ", "define ", "template ", "block ", "break", "continue", "\"a\"", "`b`", "'c'", "1", "-", "2i", "nil",
            "print ", "printf ", "\"%*d%[2]v\"", "index ", "len ", "list ", "true", "/*", "*/", "{{end}}", "{{range $i, $x := ", "{{if ",
        ]), 0..40),
    ) {
        let _ = render(&pieces.concat());
    }

    #[test]
    fn any_format_prints_something(format: String, number: i64, text: String) {
        let engine = engine();
        let data = Value::List(List::new(&Type::Any, vec![Value::string(&format), Value::int(number), Value::string(&text)]));
        let template = engine.parse("t", b"{{ printf (index . 0) (index . 1) (index . 2) . }}").unwrap();
        let _ = template.render(&data);
    }

    #[test]
    fn text_without_delimiters_is_rendered_as_it_is(text in "[^{]{0,80}") {
        prop_assert_eq!(render(&text), Ok(text));
    }

    #[test]
    fn floats_print_as_rust_prints_them(number: f64, precision in 0_usize..30) {
        prop_assume!(number.is_finite());
        let engine = engine();
        let template = engine.parse("t", format!("{{{{ printf \"%.{precision}f\" . }}}}").as_bytes()).unwrap();
        let expected = format!("{number:.precision$}");
        prop_assert_eq!(&**template.render(&Value::Float(number)).unwrap(), expected.as_bytes());
    }
}
