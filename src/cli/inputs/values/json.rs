//! Converts YAML to JSON without changing any number.

use std::sync::LazyLock;

use regex::Regex;
use zeroize::Zeroizing;

use super::texts::{Form, Node, Problem, Scalar};

/// Words that one version of YAML reads as a boolean or a number, and another as a string.
const AMBIGUOUS: [&str; 32] = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "True", "TRUE",
    "False", "FALSE", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
    "-.INF",
];

/// The JSON of a node, with numbers spelled as in the file.
///
/// # Errors
/// The node contains something that JSON cannot express, or that another version of YAML reads differently.
pub(super) fn text(node: &Node) -> Result<Zeroizing<String>, Problem> {
    let mut output = Zeroizing::new(String::new());
    write(node, &mut output)?;
    Ok(output)
}

fn write(node: &Node, output: &mut String) -> Result<(), Problem> {
    match node {
        Node::Scalar(scalar) => return write_scalar(scalar, output),
        Node::List(items, _) => {
            output.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(at, output);
                write(item, output)?;
            }
            output.push(']');
        }
        Node::Map(entries) => {
            output.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                separate(at, output);
                write_text(&key.text, output);
                output.push(':');
                write(value, output)?;
            }
            output.push('}');
        }
    }
    Ok(())
}

fn separate(at: usize, output: &mut String) {
    if at > 0 {
        output.push(',');
    }
}

fn write_scalar(scalar: &Scalar, output: &mut String) -> Result<(), Problem> {
    let text = scalar.text.as_str();
    match scalar.form {
        Form::Binary => return Err(Problem::new(scalar.line, "JSON has no bytes; write the value as text")),
        Form::Plain if scalar.is_null() => output.push_str("null"),
        Form::Plain if matches!(text, "true" | "false") || is_json_number(text) => output.push_str(text),
        Form::Plain if AMBIGUOUS.contains(&text) || is_other_number(text) => {
            return Err(Problem::new(
                scalar.line,
                "this is a number or a truth value to some readers of YAML and something else to others; put it in quotes, if it is text",
            ));
        }
        Form::Plain | Form::Text => write_text(text, output),
    }
    Ok(())
}

fn write_text(text: &str, output: &mut String) {
    // A string can always be expressed in JSON.
    output.push_str(&serde_json::Value::from(text).to_string());
}

fn is_json_number(text: &str) -> bool {
    static NUMBER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$").ok());
    NUMBER.as_ref().is_some_and(|number| number.is_match(text))
}

/// Whether any version of YAML, or go-yaml, reads a string as a number that JSON would spell differently.
fn is_other_number(text: &str) -> bool {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^[-+]?(0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+",
            r"|([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9_]*[0-9][0-9_]*)([eE][-+]?[0-9]+)?)$"
        ))
        .ok()
    });
    NUMBER.as_ref().is_none_or(|number| number.is_match(text))
}
