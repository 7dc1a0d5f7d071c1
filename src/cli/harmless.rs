//! Text of others, printed so that it can neither control a terminal nor fill it.

use serde_json::Value;

use crate::sync::one_line::{on_one_line, shortened};

/// The most bytes of a message of the cluster that are shown.
const LONGEST: usize = 2_048;
/// The most bytes of a name, or of a reason in a list. Kubernetes and our controller write no longer ones.
const LONGEST_WORD: usize = 256;
/// The most bytes of a text in a document.
const LONGEST_IN_DOCUMENT: usize = 8_192;

/// A message of the cluster, on one line and no longer than anybody reads.
pub(in crate::cli) fn told(text: &str) -> String {
    shortened(on_one_line(text), LONGEST)
}

/// A name of the cluster, or one of many reasons.
pub(in crate::cli) fn word(text: &str) -> String {
    shortened(on_one_line(text), LONGEST_WORD)
}

/// A text of several lines, in which nothing but the ends of lines controls the terminal.
pub(in crate::cli) fn lines(text: &str) -> String {
    text.split_inclusive('\n')
        .flat_map(|line| match line.strip_suffix('\n') {
            Some(line) => [on_one_line(line), "\n".to_owned()],
            None => [on_one_line(line), String::new()],
        })
        .collect()
}

/// A document whose texts are harmless wherever they are printed.
pub(in crate::cli) fn document(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shortened(on_one_line(&text), LONGEST_IN_DOCUMENT)),
        Value::Array(items) => Value::Array(items.into_iter().map(document).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, document(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_but_the_end_of_a_line_is_left_of_what_controls_a_terminal() {
        assert_eq!(lines("a\u{1b}[31m\nb\u{202e}\r\n"), "a [31m\nb  \n");
        assert_eq!(lines("no end\u{7}"), "no end ");
        assert_eq!(told(&"x".repeat(1 << 20)).len(), LONGEST);
    }

    #[test]
    fn a_document_holds_no_text_that_is_harmful_or_without_end() {
        let value = document(json!({"a": ["x\u{1b}]0;title\u{7}", 1], "b": "y".repeat(1 << 20)}));
        assert_eq!(value["a"], json!(["x ]0;title ", 1]));
        assert_eq!(value["b"].as_str().unwrap().len(), LONGEST_IN_DOCUMENT);
    }
}
