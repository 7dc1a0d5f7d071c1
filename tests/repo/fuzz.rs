//! The fuzz targets, a workspace of their own, match the program.

use std::collections::{BTreeMap, BTreeSet};

use crate::{files, read, repository};

/// The versions of each package in a lock file.
fn versions(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = read(file);
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.unwrap_or_else(|| panic!("{file}: a package without {key}")).trim_matches('"').to_owned()
        };
        found.entry(field("name")).or_default().insert(field("version"));
    }
    found
}

#[test]
fn the_fuzz_targets_have_the_dependencies_of_the_program() {
    let program = versions("Cargo.lock");
    for (name, fuzzed) in versions("fuzz/Cargo.lock") {
        let Some(shipped) = program.get(&name) else { continue };
        assert!(
            fuzzed.is_subset(shipped),
            "fuzz/Cargo.lock has {name} {fuzzed:?}, and Cargo.lock {shipped:?}: run `make fuzz-lock` and commit the result"
        );
    }
}

/// The `fuzzing` module in a source folder, as text.
fn module(folder: &str) -> String {
    let file = format!("{folder}/fuzzing.rs");
    if repository(&file).exists() {
        return read(&file);
    }
    files(&format!("{folder}/fuzzing"), &["rs"]).iter().map(|file| read(file)).collect()
}

#[test]
fn every_fuzz_target_has_seeds_and_runs_what_there_is() {
    let seeds = read("fuzz/seeds.py");
    let crates = [
        ("fuzz", "external_secrets", "src"),
        ("crates/gjson-path/fuzz", "gjson_path", "crates/gjson-path/src"),
        ("crates/go-regexp/fuzz", "go_regexp", "crates/go-regexp/src"),
        ("crates/go-template/fuzz", "go_template", "crates/go-template/src"),
    ];
    for (folder, krate, sources) in crates {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let targets = files(&format!("{folder}/fuzz_targets"), &["rs"]);
        assert!(!targets.is_empty(), "{folder}");
        for file in targets {
            let name = file.rsplit_once('/').unwrap().1.strip_suffix(".rs").unwrap();
            assert!(
                manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
                "{folder}/Cargo.toml lacks {name}"
            );
            assert!(seeds.contains(&format!("\"{name}\": ")), "fuzz/seeds.py makes no seeds for {name}");
            // Only `make fuzz-build` compiles the targets, with a nightly Rust.
            let target = read(&file);
            let (_, path) = target.split_once(&format!("fuzz_cost::target!({krate}::")).expect("a target of the crate");
            let (path, _) = path.split_once(',').unwrap();
            let (modules, function) = path.rsplit_once("::").unwrap();
            let folder = format!("{sources}/{}", modules.replace("::", "/"));
            let text = module(folder.strip_suffix("/fuzzing").unwrap());
            assert!(text.contains(&format!("pub fn {function}(")), "{file}: there is no {path}");
        }
    }
}
