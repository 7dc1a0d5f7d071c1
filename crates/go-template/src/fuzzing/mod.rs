//! What this crate's fuzz targets and the property tests below run. No input may cause a panic or cost more than its
//! budget allows.

mod expressions;
mod key_files;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::{Allowance, Engine, Limits, Map, Text, Type, Value, funcs, yaml as documents};
use expressions::Choices;

pub use key_files::keys;

/// With low limits, so that no template takes long.
static SMALL: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(funcs::all()).with_limits(Limits {
        steps: 20_000,
        memory: 4 << 20,
        output: 1 << 16,
        ..Limits::default()
    })
});

/// With a part of one rendering's usual limits, so that a rendering that exhausts them takes a second.
static PART: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(funcs::all()).with_limits(Limits { steps: 50_000, ..Limits::default() }));

/// The input is a template, a zero byte, and the value `v`.
pub fn template(input: &[u8]) {
    let (template, value) = split(input);
    render(&SMALL, template, &[("v", value)]);
}

/// Calls functions with odd arguments. The bytes choose each function, argument, and use of the result. `v` is the
/// bytes from the 64th on.
pub fn calls(input: &[u8]) {
    let (choices, value) = input.split_at(input.len().min(64));
    let text = shown(Choices::new(choices).odd_call());
    render(&SMALL, text.as_bytes(), &[("v", value), ("l", &[b'1'; 300])]);
}

/// Like [`calls`], with large arguments, in a loop that keeps the results.
pub fn costs(input: &[u8]) {
    let text = shown(Choices::new(input).costly_calls());
    render(&PART, text.as_bytes(), &[("v", &[b'1'; 300])]);
}

/// Parses YAML in all ways in which it is used, and writes it again.
pub fn yaml(input: &[u8]) {
    let _ = documents::read_json(input, &mut Allowance::new());
    let _ = documents::read_strings(input, &mut Allowance::new());
    render(&SMALL, b"{{ $m := .v | fromYaml }}{{ toYaml $m }}{{ toJson $m | len }}", &[("v", input)]);
}

/// With `FUZZ_SHOW` in the environment, prints the template that the bytes chose.
fn shown(template: String) -> String {
    #[cfg(fuzzing)]
    if std::env::var_os("FUZZ_SHOW").is_some() {
        eprintln!("{template}");
    }
    template
}

fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn render(engine: &Engine, template: &[u8], values: &[(&str, &[u8])]) {
    let rendered = engine.parse("t", template).and_then(|template| {
        let values = values.iter().map(|(name, value)| (Text::from(*name), Value::String(Text::from(*value))));
        let values: BTreeMap<_, _> = values.collect();
        template.render(&Value::Map(Map::from_entries(&Type::String, values)))
    });
    if let Err(error) = rendered {
        drop(error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_template_panics(
            words in "(\\{\\{|\\}\\}|\\{\\{ end \\}\\}|range |if |with |\\.v| |\\$x := |\\$x|\\||list 1|dict|printf \"%v%d\"|index |len |-1|nil|\"a\"|\\(|\\)){0,16}",
            value in ".*",
        ) {
            template(format!("{words}\0{value}").as_bytes());
        }

        #[test]
        fn no_call_panics(input: Vec<u8>) {
            calls(&input);
        }

        #[test]
        fn no_document_panics(
            words in "(a|- |: |\n|  |&a |\\*a|<<: |\\{|\\}|\\[|\\]|,|\\? |!!int |'|\"|\\||>|#|~|0x1|---\n|ä){0,30}",
        ) {
            yaml(words.as_bytes());
        }

        #[test]
        fn no_key_panics(input: Vec<u8>) {
            keys(&input);
        }
    }
}
