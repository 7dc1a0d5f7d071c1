//! The Japanese pages match the English ones: both contain every command, quoted message and code.

use std::collections::BTreeSet;

use rstest::rstest;
use test_stage::markdown::blocks;

use crate::read;

/// The commands and messages of a page, in order. For commands with output, only the commands count.
fn quoted(page: &str) -> Vec<String> {
    let told = |block: test_stage::markdown::Block| match block.language.as_str() {
        "console" => block.commands().into_iter().map(|(command, _)| command).collect::<Vec<_>>().join("\n"),
        _ => block.text,
    };
    blocks(page).into_iter().map(told).collect()
}

/// Text in backticks outside of code blocks, and the codes of Entra ID and Key Vault.
fn named(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let outside: String = text.split("```").step_by(2).collect();
    let mut named: BTreeSet<_> = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let codes = outside.split(|letter: char| !letter.is_ascii_alphanumeric());
    named.extend(codes.filter(|word| word.starts_with("AADSTS") || word.starts_with("AKV")).map(str::to_owned));
    named
}

#[rstest]
#[case("walkthrough.md")]
#[case("install.md")]
#[case("troubleshooting.md")]
#[case("diagnosis.md")]
fn a_page_in_japanese_has_each_command_message_and_code_of_the_english_one(#[case] page: &str) {
    let (english, japanese) = (format!("docs/{page}"), format!("docs/ja/{page}"));
    assert_eq!(quoted(&japanese), quoted(&english));
    let (ours, theirs) = (named(&japanese), named(&english));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{japanese} lacks {missing:?}");
    let added: Vec<_> = ours.difference(&theirs).collect();
    assert!(added.is_empty(), "{english} lacks {added:?}");
}
