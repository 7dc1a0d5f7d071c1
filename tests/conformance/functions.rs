//! The functions of sprig, as ESO offers them.

use external_secrets::template::funcs;

use super::{go, template};

const CASES: &str = "functions/text.json";
const GOLDEN: &str = include_str!("functions/text.golden.jsonl");

/// How many made-up calls are compared; `FUNCTIONS_RANDOM` asks for another number, and
/// `FUNCTIONS_SEED` for others.
const RANDOM: &str = "2000";

#[test]
fn every_function_gives_what_sprig_gives() {
    let cases = template::read(include_str!("functions/text.json"), GOLDEN);
    assert!(cases.len() > 500, "the table is complete");
    template::compare(&cases, &funcs::all().collect::<Vec<_>>(), loosened);
}

#[test]
fn the_golden_file_is_what_sprig_gives_today() {
    let Some(printed) = go::run("template", &["-sprig"], Some(CASES)) else { return };
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_calls_give_what_sprig_gives() {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (count, seed) = (setting("FUNCTIONS_RANDOM", RANDOM), setting("FUNCTIONS_SEED", "1"));
    let Some(printed) = go::run("template", &["-sprig", "-random", &count, "-seed", &seed], None) else { return };
    let cases = template::made_up(&printed);
    assert_eq!(cases.len().to_string(), count);
    // Texts of errors are the table's to compare; here their place.
    let place = |result: &str| match result.split_once(">: ") {
        Some((place, _)) if result.starts_with("error ") => place.to_owned(),
        _ => result.to_owned(),
    };
    template::compare(&cases, &funcs::all().collect::<Vec<_>>(), place);
}

/// `result` without the text of an error of Go's runtime, in place of which ours has one of these.
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
