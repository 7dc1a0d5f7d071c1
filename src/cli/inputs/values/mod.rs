//! Values from a file, in place of what vaults hold.
//!
//! The file is a YAML mapping of `remoteRef.key` to value. A scalar stands for its literal text, a mapping or a list
//! for its JSON. `NAME.tags` is a mapping of the tags of NAME, and `NAME.attributes` a mapping of its times.

mod json;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use self::texts::{Form, Node, Problem, Scalar};
use super::text::text as file_text;
use crate::api::v1::{SecretStore, SecretStoreSpec};
use crate::provider::azure::given::GivenObjects;

/// Why the values cannot be read. Quotes none of them.
#[derive(Debug, thiserror::Error)]
#[error("--values={path}{}: {problem}", .line.map(|line| format!(", line {line}")).unwrap_or_default(), path = path.display())]
pub(in crate::cli) struct Error {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<GivenObjects, Error> {
    let failed = |line, problem: String| Error { path: path.to_owned(), line, problem };
    let bytes = std::fs::read(path).map_err(|error| failed(None, error.to_string()))?;
    let text = file_text(bytes).map_err(|error| failed(None, error.to_string()))?;
    objects(&text, &path.display().to_string()).map_err(|problem| failed(Some(problem.line), problem.text))
}

/// The objects described by a text; `source` names it in messages.
fn objects(text: &str, source: &str) -> Result<GivenObjects, Problem> {
    let root = texts::read(text)?;
    let Node::Map(entries) = root else {
        return Err(Problem::new(1, "this is not a YAML mapping of keys to values"));
    };
    let mut objects = GivenObjects::new(source);
    for (key, node) in &entries {
        let problem = |text: String| Problem { line: key.line, text };
        match key.text.rsplit_once('.') {
            Some((name, "tags")) => {
                objects.set_tags(name, texts_of(&key.text, node)?).map_err(|error| problem(error.to_string()))?;
            }
            Some((name, "attributes")) => {
                for (time, text) in texts_of(&key.text, node)? {
                    objects.set_time(name, &time, &text).map_err(|error| problem(error.to_string()))?;
                }
            }
            _ => {
                let value = value(&key.text, node)?;
                objects.set_value(&key.text, &value).map_err(|error| problem(error.to_string()))?;
            }
        }
    }
    Ok(objects)
}

/// The value of a key: literal text, bytes, or JSON.
fn value(key: &str, node: &Node) -> Result<Zeroizing<Vec<u8>>, Problem> {
    match node {
        Node::Scalar(scalar) => bytes(key, scalar),
        Node::List(..) | Node::Map(_) => json::text(node).map(|text| Zeroizing::new(text.as_bytes().to_vec())),
    }
}

fn bytes(key: &str, scalar: &Scalar) -> Result<Zeroizing<Vec<u8>>, Problem> {
    match scalar.form {
        Form::Plain if scalar.is_null() => Err(Problem {
            line: scalar.line,
            text: format!("{key:?} has no value; put the text in quotes, if that is its value"),
        }),
        Form::Plain | Form::Text => Ok(Zeroizing::new(scalar.text.as_bytes().to_vec())),
        Form::Binary => {
            let text: Zeroizing<String> = Zeroizing::new(scalar.text.split_ascii_whitespace().collect());
            let decoded = STANDARD.decode(text.as_bytes());
            decoded.map(Zeroizing::new).map_err(|_| Problem {
                line: scalar.line,
                text: format!("{key:?} is marked as !!binary, and is not in base64"),
            })
        }
    }
}

/// A mapping of names to strings.
fn texts_of(key: &str, node: &Node) -> Result<BTreeMap<String, String>, Problem> {
    let Node::Map(entries) = node else {
        return Err(Problem { line: node.line(), text: format!("{key:?} is not a mapping of names to texts") });
    };
    let text = |(name, node): &(Scalar, Node)| match node {
        Node::Scalar(scalar) if !scalar.is_null() && scalar.form != Form::Binary => {
            Ok((name.text.to_string(), scalar.text.to_string()))
        }
        _ => Err(Problem { line: name.line, text: format!("{key:?}: {:?} is not text", *name.text) }),
    };
    entries.iter().map(text).collect()
}

/// A store whose vault the file replaces. Its conditions remain those of `known`, if any.
pub(super) fn store(known: Option<&SecretStore>) -> Arc<SecretStore> {
    let mut store = known.cloned().unwrap_or_default();
    let mut spec = store.spec.get().cloned().unwrap_or_else(|_| SecretStoreSpec::default());
    spec.provider.fake = None;
    spec.provider.others.clear();
    spec.provider.azurekv.get_or_insert_default();
    store.spec = spec.into();
    Arc::new(store)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::api::v1::external_secret::RemoteRef;
    use crate::provider::{Freshness, Priority, ReadOptions};

    /// The value of the secret `a`.
    fn a(text: &str) -> Result<String, String> {
        let objects =
            objects(text, "values.yaml").map_err(|problem| format!("line {}: {}", problem.line, problem.text))?;
        let options = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };
        let reference = RemoteRef { key: "a".to_owned(), ..RemoteRef::default() };
        let client = Arc::new(objects).client(Arc::default());
        let read = client.get_secret(&reference, options).now_or_never().unwrap().unwrap();
        Ok(String::from_utf8_lossy(read.value.expose_secret()).into_owned())
    }

    #[rstest]
    #[case("a: 0123", "0123")]
    #[case("a: 007", "007")]
    #[case("a: 0777", "0777")]
    #[case("a: 1e3", "1e3")]
    #[case("a: 1.10", "1.10")]
    #[case("a: 0x1F", "0x1F")]
    #[case("a: 0o17", "0o17")]
    #[case("a: 1_000", "1_000")]
    #[case("a: .5", ".5")]
    #[case("a: +1", "+1")]
    #[case("a: -0", "-0")]
    #[case("a: 12345678901234567890123", "12345678901234567890123")]
    #[case("a: yes", "yes")]
    #[case("a: True", "True")]
    #[case("a: .inf", ".inf")]
    #[case("a: 2026-11-28", "2026-11-28")]
    #[case("a: 1:30", "1:30")]
    #[case("a: !!str 0123", "0123")]
    #[case("a: !!int 0123", "0123")]
    #[case("a: 'null'", "null")]
    #[case("a: ''", "")]
    #[case("a: \"x\\ny\"", "x\ny")]
    #[case("a: |\n  x\n  y\n", "x\ny\n")]
    #[case("a: one\n  two", "one two")]
    #[case("a: !!binary aGk=", "hi")]
    #[case("b: &x 0123\na: *x", "0123")]
    #[case("\u{feff}a: x", "x")]
    #[case("a: x\r\n", "x")]
    #[case("---\na: x\n...\n", "x")]
    #[case("{\"a\": \"x\"}", "x")]
    fn a_value_is_the_text_that_stands_there(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(a(text).unwrap(), expected);
    }

    #[rstest]
    #[case(
        "a: {port: 5432, rate: 1.10, big: 12345678901234567890123, exp: 1e3}",
        r#"{"port":5432,"rate":1.10,"big":12345678901234567890123,"exp":1e3}"#
    )]
    #[case(
        "a: {t: true, f: false, n: null, e: , s: text, d: 2026-11-28, v: 1.2.3, q: '0123'}",
        r#"{"t":true,"f":false,"n":null,"e":null,"s":"text","d":"2026-11-28","v":"1.2.3","q":"0123"}"#
    )]
    #[case("a: {y: x, no: x, 0123: x}", r#"{"y":"x","no":"x","0123":"x"}"#)]
    #[case("a:\n- x\n- [1, {}]", r#"["x",[1,{}]]"#)]
    #[case("a: {b: \"q\\\"\\n\"}", r#"{"b":"q\"\n"}"#)]
    fn a_mapping_or_a_list_is_its_json(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(a(text).unwrap(), expected);
    }

    #[rstest]
    #[case("0123")]
    #[case("007")]
    #[case("0x1F")]
    #[case("0o17")]
    #[case("0b1")]
    #[case("1_000")]
    #[case(".5")]
    #[case("5.")]
    #[case("+1")]
    #[case("-.5")]
    #[case("yes")]
    #[case("No")]
    #[case("y")]
    #[case("on")]
    #[case("TRUE")]
    #[case(".inf")]
    #[case("-.Inf")]
    #[case(".NaN")]
    fn what_yaml_could_take_for_another_number_or_word_is_refused_within_json(#[case] text: &str) {
        let refused = a(&format!("# values\na: {{b: {text}}}")).unwrap_err();
        assert!(refused.starts_with("line 2: ") && refused.contains("quotes"), "{refused}");
    }

    #[rstest]
    #[case("a:", "line 1: \"a\" has no value; put the text in quotes, if that is its value")]
    #[case("a: ~", "line 1: \"a\" has no value; put the text in quotes, if that is its value")]
    #[case("b: 1\na: null", "line 2: \"a\" has no value; put the text in quotes, if that is its value")]
    #[case("- a", "line 1: this is not a YAML mapping of keys to values")]
    #[case("", "line 1: this is not a YAML mapping of keys to values")]
    #[case("a: x\nb: y\na: z", "line 3: the key \"a\" is given twice; the other is in line 1")]
    #[case("a: {b: 1, b: 2}", "line 1: the key \"b\" is given twice; the other is in line 1")]
    #[case("a: x\nA: y", "line 2: \"A\" is the same object as \"a\", to Key Vault")]
    #[case("a: x\n---\nb: y", "line 3: there is a second document; put all values into one")]
    #[case(
        "a: x\nunder_score: y",
        "line 2: \"under_score\" names no object that Key Vault can have: a name has 1 to 127 letters, digits and dashes"
    )]
    #[case("a: !secret x", "line 1: the tag !secret means nothing here; leave it out")]
    #[case("a: !!binary '*'", "line 1: \"a\" is marked as !!binary, and is not in base64")]
    #[case("a: {b: !!binary aGk=}", "line 1: JSON has no bytes; write the value as text")]
    #[case("a: {<<: {b: x}}", "line 1: merge keys are not read; write the entries out")]
    #[case("a: x\na.tags: [b]", "line 2: \"a.tags\" is not a mapping of names to texts")]
    #[case("a: x\na.attributes: {expires: soon}", "line 2: the time \"soon\" is not as in 2026-11-28T18:00:00Z")]
    #[case(
        "a: x\na.attributes: {end: 2026-11-28T18:00:00Z}",
        "line 2: an object has no time \"end\": it has expires, created, updated and notBefore"
    )]
    fn nonsense_is_reported_with_its_line(#[case] text: &str, #[case] message: &str) {
        assert_eq!(a(text).unwrap_err(), message);
    }

    #[test]
    fn invalid_yaml_is_reported_without_its_text() {
        let refused = a("b: x\na: {hunter2: hunter2").unwrap_err();
        assert!(refused.contains("this is not valid YAML") && !refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn aliases_within_aliases_do_not_fill_the_memory() {
        let lines = (1..40).map(|at| format!("x{at}: &x{at} [*x{}, *x{}]", at - 1, at - 1));
        let lines: Vec<_> = std::iter::once("x0: &x0 [1]".to_owned()).chain(lines).collect();
        let refused = a(&lines.join("\n")).unwrap_err();
        assert!(refused.contains("aliases"), "{refused}");
    }
}
