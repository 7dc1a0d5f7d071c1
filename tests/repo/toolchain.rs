use crate::read;

/// The value of the first line `key = "value"` of a TOML file.
fn value(file: &str, key: &str) -> String {
    let text = read(file);
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
    line.unwrap_or_else(|| panic!("{file} has no line {key} = ...")).trim().trim_matches('"').to_owned()
}

#[test]
fn the_pinned_toolchain_is_the_one_that_cargo_toml_asks_for() {
    let pinned = value("rust-toolchain.toml", "channel");
    let least = value("Cargo.toml", "rust-version");
    assert!(
        pinned == least || pinned.starts_with(&format!("{least}.")),
        "rust-toolchain.toml pins {pinned}, and Cargo.toml has rust-version {least}: make them agree"
    );
}
