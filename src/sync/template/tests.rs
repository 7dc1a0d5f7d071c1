use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::template::funcs;

fn values(entries: &[(&str, &[u8])]) -> SecretData {
    entries.iter().map(|(key, value)| ((*key).to_owned(), Arc::new(value.to_vec().into()))).collect()
}

fn two_values() -> SecretData {
    values(&[("user", b"joe"), ("password", b"s3cret")])
}

fn sources() -> Sources {
    let text =
        |entries: &[(&str, &str)]| entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    Sources {
        config_maps: [(
            "templates".to_owned(),
            text(&[("config.ini", "user={{ .user }}"), ("map", "a: {{ .user }}\n{{ .user }}: b")]),
        )]
        .into(),
        secrets: [("secret".to_owned(), values(&[("line", b"{{ .password | upper }}")]))].into(),
    }
}

/// Parses `key: value` lines, which is all the YAML that these tests need.
fn read_lines(text: &[u8], _: &mut Allowance) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let entry = |line: &str| {
        let (key, value) = line.split_once(": ").ok_or("no mapping")?;
        Ok((key.to_owned(), Zeroizing::new(value.as_bytes().to_vec())))
    };
    text.lines().map(entry).collect()
}

fn render_with(template: Json, values: &SecretData) -> Result<Rendered, RenderError> {
    let template: ExternalSecretTemplate = serde_json::from_value(template).unwrap();
    let engine = Engine::new(funcs::all());
    Renderer { root: "spec.target.template", engine: &engine, read_keys_and_values: read_lines }.render(
        &template,
        values,
        &sources(),
    )
}

fn render(template: Json) -> Result<Rendered, RenderError> {
    render_with(template, &two_values())
}

fn data(rendered: &Rendered) -> Json {
    let text = |value: &SecretValue| value.expose_secret().escape_ascii().to_string();
    rendered
        .data
        .iter()
        .map(|(key, value)| (key.clone(), Json::from(text(value))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn many_templates_may_not_take_together_what_few_may() {
    let many = |template: &str| {
        let data: serde_json::Map<_, _> = (0..20).map(|i| (format!("key-{i:02}"), template.into())).collect();
        render(json!({"data": data}))
    };
    assert!(many("{{ range 1000 }}{{ end }}").is_ok());
    let error = many("{{ range 300000 }}{{ end }}").unwrap_err().to_string();
    assert!(error.contains("this and the templates before it take more than 4000000 steps"), "{error}");
    let error = many("{{ repeat 1000000 \"a\" }}").unwrap_err().to_string();
    assert!(error.contains("data[key-04]") && error.contains("render more than 4194304 bytes"), "{error}");
}

/// The error of a template for a Secret or another object, with documents parsed as in the controller.
fn error_of(form: Form, template: Json) -> String {
    let template: ExternalSecretTemplate = serde_json::from_value(template).unwrap();
    let engine = Engine::new(funcs::all());
    let read =
        |text: &[u8], allowance: &mut Allowance| yaml::read_strings(text, allowance).map_err(|error| error.to_string());
    let renderer = Renderer { root: "spec.target.template", engine: &engine, read_keys_and_values: read };
    let result = renderer.render_for(form, &template, &two_values(), &sources());
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn aliases_of_a_long_text_are_bounded_as_if_each_were_written_out() {
    let secret = "a: &a {{ repeat 1000000 \"x\" }}\n{{ range $i := until 1500 }}k{{ $i }}: *a\n{{ end }}";
    let object = "a: &a {{ repeat 1000000 \"x\" }}\nb: [{{ range $i := until 1500 }}*a,{{ end }}]";
    for (form, target, literal) in [(Form::Secret, "Data", secret), (Form::Object, "spec", object)] {
        let error = error_of(form, json!({"templateFrom": [{"target": target, "literal": literal}]}));
        assert!(error.contains("the YAML takes more than 16777216 bytes of memory, aliases replaced"), "{error}");
        assert!(error.starts_with("spec.target.template.templateFrom[0].literal"), "{error}");
    }
}

#[test]
fn documents_of_an_object_share_a_bound_of_nodes() {
    let maps = |count: usize| format!("a: [{{{{ repeat {count} \"{{a}},\" }}}}]");
    let from = |target: &str, count: usize| json!({"target": target, "literal": maps(count)});
    let error = error_of(Form::Object, json!({"templateFrom": [from("spec.a", 480_000)]}));
    assert!(
        error.contains("the YAML takes more than 16777216 bytes") || error.contains("more than 100000 nodes"),
        "{error}"
    );
    let numbers = |target: &str| json!({"target": target, "literal": "a: [{{ repeat 60000 \"1,\" }}]"});
    let error = error_of(Form::Object, json!({"templateFrom": [numbers("spec.a"), numbers("spec.b")]}));
    assert!(
        error.contains("templateFrom[1].literal") && error.contains("the YAML has more than 100000 nodes"),
        "{error}"
    );
}

#[test]
fn a_value_for_a_place_is_no_way_past_the_bounds_of_yaml() {
    let template = json!({"templateFrom": [{
        "target": "spec.a",
        "configMap": {"name": "templates", "items": [{"key": "many", "templateAs": "Values"}]},
    }]});
    let template: ExternalSecretTemplate = serde_json::from_value(template).unwrap();
    let mut sources = sources();
    sources.config_maps.get_mut("templates").unwrap().insert("many".into(), "[{{ repeat 150000 \"1,\" }}]".into());
    let engine = Engine::new(funcs::all());
    let renderer = Renderer { root: "spec.target.template", engine: &engine, read_keys_and_values: read_lines };
    let error = renderer.render_object(&template, &two_values(), &sources).map(drop).unwrap_err().to_string();
    assert!(error.contains("the YAML has more than 100000 nodes"), "{error}");
}

#[rstest]
#[case(json!({}), json!({"user": "joe", "password": "s3cret"}))]
#[case(json!({"metadata": {"labels": {"a": "b"}}}), json!({"user": "joe", "password": "s3cret"}))]
#[case(json!({"data": {"dsn": "{{ .user }}:{{ .password }}"}}), json!({"dsn": "joe:s3cret"}))]
#[case(
    json!({"mergePolicy": "Merge", "data": {"user": "{{ .user | upper }}"}}),
    json!({"user": "JOE", "password": "s3cret"})
)]
fn the_values_are_there_with_merge_or_where_no_data_is_made(#[case] template: Json, #[case] expected: Json) {
    assert_eq!(data(&render(template).unwrap()), expected);
}

#[test]
fn templates_come_from_config_maps_secrets_and_literals() {
    let rendered = render(json!({"templateFrom": [
        {"configMap": {"name": "templates", "items": [{"key": "config.ini"}, {"key": "map", "templateAs": "KeysAndValues"}]}},
        {"secret": {"name": "secret", "items": [{"key": "line"}]}},
        {"literal": "from: {{ .user }}"},
    ]}));
    assert_eq!(
        data(&rendered.unwrap()),
        json!({"config.ini": "user=joe", "a": "joe", "joe": "b", "line": "S3CRET", "from": "joe"})
    );
}

#[test]
fn what_comes_later_wins_and_data_over_template_from() {
    let rendered = render(json!({
        "data": {"c": "data"},
        "templateFrom": [
            {"literal": "a: second\nb: second\nc: second", "configMap": {"name": "templates",
             "items": [{"key": "map", "templateAs": "KeysAndValues"}]}},
            {"literal": "b: third"},
        ],
    }));
    assert_eq!(data(&rendered.unwrap()), json!({"a": "second", "b": "third", "c": "data", "joe": "b"}));
}

#[test]
fn labels_and_annotations_are_rendered_and_those_of_the_metadata_win() {
    let rendered = render(json!({
        "type": "kubernetes.io/basic-auth",
        "metadata": {
            "labels": {"who": "{{ .user }}"}, "annotations": {"note": "for {{ .user }}"},
            "finalizers": ["example.com/{{ .user }}"],
        },
        "templateFrom": [
            {"target": "labels", "literal": "who: nobody\nteam: a"},
            {"target": "Annotations", "literal": "size: {{ len .password }}"},
        ],
    }))
    .unwrap();
    assert_eq!(json!(rendered.labels), json!({"who": "joe", "team": "a"}));
    assert_eq!(json!(rendered.annotations), json!({"note": "for joe", "size": "6"}));
    assert_eq!(rendered.finalizers, ["example.com/{{ .user }}"], "which ESO does not render");
    assert_eq!(rendered.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    assert_eq!(data(&rendered), json!({}), "templateFrom replaces the values, also where it makes none");
}

#[test]
fn what_template_from_makes_is_decoded() {
    let rendered = render_with(
        json!({"templateFrom": [{"valuesDecodingStrategy": "Base64", "literal": "key: {{ .encoded }}"}]}),
        &values(&[("encoded", b"/w==")]),
    );
    assert_eq!(data(&rendered.unwrap()), json!({"key": "\\xff"}));
}

#[test]
fn what_was_rendered_does_not_print_values() {
    let rendered = render(json!({"metadata": {"labels": {"a": "{{ .password }}"}}})).unwrap();
    assert!(!format!("{rendered:?}").contains("s3cret"));
    assert_eq!(rendered.labels["a"], "s3cret");
}

#[test]
fn values_of_any_bytes_pass() {
    let rendered = render_with(json!({"data": {"a": "{{ .key }}!"}}), &values(&[("key", b"\xff\0")]));
    assert_eq!(data(&rendered.unwrap()), json!({"a": "\\xff\\x00!"}));
}

#[rstest]
#[case(
    json!({"data": {"tls.key": "{{ .pasword }}"}}),
    "spec.target.template.data[tls.key]: template: tls.key:1:3: executing \"tls.key\" at <.pasword>: map has no entry for key \"pasword\""
)]
#[case(
    json!({"metadata": {"labels": {"a": "{{"}}}),
    "spec.target.template.metadata.labels[a]: template: a:1:"
)]
#[case(
    json!({"templateFrom": [{}, {"configMap": {"name": "none", "items": [{"key": "x"}]}}]}),
    "spec.target.template.templateFrom[1].configMap.items[0]: ConfigMap \"none\" does not exist in the namespace of the ExternalSecret; create it"
)]
#[case(
    json!({"templateFrom": [{"secret": {"name": "secret", "items": [{"key": "line"}, {"key": "x"}]}}]}),
    "spec.target.template.templateFrom[0].secret.items[1]: Secret \"secret\" has no key \"x\"; add it"
)]
#[case(
    json!({"templateFrom": [{"literal": "{{ .password }}"}]}),
    "spec.target.template.templateFrom[0].literal: the template must make a YAML mapping of keys to strings: no mapping"
)]
#[case(
    json!({"templateFrom": [{"valuesDecodingStrategy": "Base64", "literal": "key: {{ .password }}!"}]}),
    "spec.target.template.templateFrom[0].literal: what the template makes for the key \"key\" is not valid Base64"
)]
#[case(
    json!({"metadata": {"annotations": {"a": "{{ \"\\xff\" }}"}}}),
    "spec.target.template.metadata.annotations[a]: what the template makes for \"a\" is not UTF-8"
)]
#[case(
    json!({"templateFrom": [{"target": "spec.x", "literal": "a: b"}]}),
    "spec.target.template.templateFrom[0].target: \"spec.x\" is not allowed for a Secret"
)]
fn what_cannot_be_rendered_names_its_field_and_no_value(#[case] template: Json, #[case] message: &str) {
    let error = render(template).unwrap_err().to_string();
    assert!(error.starts_with(message), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}
