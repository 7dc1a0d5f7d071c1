//! The functions of sprig, as ESO provides them.

use go_template::funcs;

use super::{GO, template};

const CASES: &str = "functions/text.json";
const GOLDEN: &str = include_str!("functions/text.golden.jsonl");

#[test]
fn every_function_gives_what_sprig_gives() {
    let cases = template::read(include_str!("functions/text.json"), GOLDEN);
    assert!(cases.len() > 500, "the table is complete");
    template::compare(cases, &funcs::all().collect::<Vec<_>>(), loosened);
}

#[test]
fn the_golden_file_is_what_sprig_gives_today() {
    let printed = GO.run("template", &["-sprig"], Some(CASES));
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_calls_give_what_sprig_gives() {
    let printed = GO.made_up("template", &["-sprig"]);
    template::compare(template::made_up(&printed), &funcs::all().collect::<Vec<_>>(), place);
}

#[test]
fn made_up_templates_with_calls_render_as_go_renders_them() {
    let printed = GO.made_up("template", &["-mixed"]);
    let functions: Vec<_> = template::functions().into_iter().chain(funcs::all()).collect();
    template::compare(template::made_up(&printed), &functions, place);
}

/// The texts of errors are compared with the table; this is their location.
fn place(result: &str) -> String {
    let loosened = template::loosened(result);
    match result.split_once(">: ") {
        Some((place, _)) if result.starts_with("error ") && loosened != template::RECURSION => place.to_owned(),
        _ => loosened,
    }
}

/// `result` without the text of an error of Go's runtime, which is replaced by one of these here.
fn loosened(result: &str) -> String {
    const ERRORS: [&str; 8] = [
        "runtime error: ",
        "slice bounds out of range",
        "type nil",
        "array but nil",
        "but nil found",
        "a chunk has at least one element",
        "index out of range",
        "interface conversion: interface {} is nil",
    ];
    let function = result.split_once("error calling ").and_then(|(_, call)| call.split_once(": "));
    match function {
        Some((function, message)) if ERRORS.iter().any(|error| message.contains(error)) => {
            format!("error of {function}")
        }
        _ => result.to_owned(),
    }
}
