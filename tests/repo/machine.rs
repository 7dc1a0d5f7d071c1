//! What a machine needs, and what the scripts say if something is missing.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rstest::rstest;

use crate::{read, repository};

/// The programs in `.ci/tools` that this machine has.
fn tools() -> Vec<String> {
    let text = read(".ci/tools");
    let listed = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    listed.map(ToOwned::to_owned).collect()
}

/// A folder with these programs, except for some.
fn path_without(missing: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for tool in tools().iter().filter(|tool| !missing.contains(&tool.as_str())) {
        if let Some(place) = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|place| place.exists()) {
            symlink(place, folder.path().join(tool)).unwrap();
        }
    }
    folder
}

/// What a command prints when it fails with this PATH and without caches.
fn refusal(command: &[&str], path: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(path.join(command[0]))
        .args(&command[1..])
        .current_dir(repository(""))
        .env("PATH", path)
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path())
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[rstest]
#[case::rust(&["cargo"], "demo", "Rust is missing: install it with rustup (https://rustup.rs), then run this again")]
#[case::rust_in_tests(&["cargo"], "test", "Rust is missing: install it with rustup (https://rustup.rs), then run this again")]
#[case::compiler(
    &["cc"],
    "demo",
    "a C compiler is missing: install gcc or clang with the headers of the C library, then run this again"
)]
#[case::python(
    &["python3"],
    "test",
    "Python is missing: install Python 3.9 or later with its module venv, then run this again"
)]
#[case::go_and_python(
    &["go", "python3"],
    "demo",
    "go: it is missing: install Go 1.26.0 or later (https://go.dev/dl/), or Python 3 with pip, and run this again"
)]
fn what_a_machine_lacks_is_reported_in_a_sentence(
    #[case] missing: &[&str],
    #[case] target: &str,
    #[case] sentence: &str,
) {
    let path = path_without(missing);
    let said = refusal(&["make", target], path.path());
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("make")).collect();
    assert_eq!(lines, [sentence]);
}

#[test]
fn help_needs_no_more_than_awk() {
    let path = path_without(&["cargo", "cc", "go", "python3", "rustc"]);
    let output = Command::new(path.path().join("make"))
        .arg("help")
        .current_dir(repository(""))
        .env("PATH", path.path())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("make demo"));
}

#[test]
fn every_script_is_checked_by_shellcheck() {
    let makefile = read("Makefile").replace("\\\n", " ");
    let checked = makefile.lines().find_map(|line| line.strip_prefix("SCRIPTS := ")).unwrap();
    let checked: Vec<_> = checked.split_whitespace().collect();
    for folder in [".ci", "tests", "crates", "fuzz"] {
        let mut folders = vec![repository(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if path.file_name().is_none_or(|name| name != "target" && name != "corpus") {
                        folders.push(path);
                    }
                    continue;
                }
                let name = path.strip_prefix(repository("")).unwrap().to_str().unwrap().to_owned();
                let is_executable = path.metadata().unwrap().permissions().mode() & 0o111 != 0;
                let is_shell =
                    || std::fs::read(&path).unwrap().split(|byte| *byte == b'\n').next().is_some_and(is_of_shell);
                if Path::new(&name).extension().is_some_and(|end| end == "sh") || (is_executable && is_shell()) {
                    assert!(checked.contains(&name.as_str()), "the Makefile's SCRIPTS lacks {name}");
                }
            }
        }
    }
}

fn is_of_shell(first_line: &[u8]) -> bool {
    first_line.starts_with(b"#!") && first_line.ends_with(b"sh")
}

/// What `.ci/advisories` prints with a cargo-deny that behaves like this, its exit code, and what counts as skipped.
fn advisories(cargo_deny: &str, required: &str) -> (String, Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let (program, skipped) = (folder.path().join("cargo-deny"), folder.path().join("skipped"));
    std::fs::write(&program, format!("#!/bin/sh\ncase \"$*\" in\n{cargo_deny}\nesac\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(repository(".ci/advisories"))
        .env("CARGO_DENY", &program)
        .env("SKIPPED", &skipped)
        .env("ADVISORIES", required)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let skipped = std::fs::read_to_string(skipped).unwrap_or_default();
    (String::from_utf8(said).unwrap(), output.status.code(), skipped)
}

const UNREACHABLE: &str = "*'fetch db') echo 'fatal: Could not resolve host: example' >&2; exit 1 ;;\n*) exit 0 ;;";

#[test]
fn advisories_that_cannot_be_had_are_skipped_and_not_passed() {
    let (said, code, skipped) = advisories(UNREACHABLE, "");
    let expected = "advisories: skipped: the database of advisories cannot be had on this machine \
                    (Could not resolve host: example)\n";
    assert_eq!((said.as_str(), code, skipped.as_str()), (expected, Some(0), "advisories\n"));
    let (_, code, _) = advisories(UNREACHABLE, "required");
    assert_eq!(code, Some(1));
}

#[test]
fn a_vulnerable_dependency_fails_and_none_passes() {
    let (said, code, skipped) = advisories("*'fetch db') exit 0 ;;\n*'check advisories') exit 0 ;;\n*) exit 9 ;;", "");
    assert_eq!((said.as_str(), code, skipped.as_str()), ("advisories: passed\n", Some(0), ""));
    let (said, code, _) = advisories("*'fetch db') exit 0 ;;\n*) exit 1 ;;", "");
    assert_eq!((said.as_str(), code), ("", Some(1)));
}
