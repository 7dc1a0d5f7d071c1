//! Enforces which module may use which, as ARCHITECTURE.md lists. It reads every path in `src` that starts with
//! `crate`, `super` or `self`: in code, grouped imports, macros and attributes.

use std::collections::BTreeSet;

use crate::paths::{Use, module_of, paths_in};
use crate::{files, read};

/// Each top-level module and what else it may use: a module, or only a part of one.
const RULES: [(&str, &[&str]); 17] = [
    ("answers", &[]),
    ("secret", &[]),
    ("api", &["answers"]),
    ("re2", &[]),
    ("template", &[]),
    ("runtime", &["answers"]),
    ("sandbox", &[]),
    ("budget", &["re2"]),
    ("generator", &["api", "secret"]),
    ("push", &["secret"]),
    (
        "provider",
        &["api", "re2", "budget", "secret", "push", "template::funcs::pfx", "runtime::fair", "runtime::log_allowance"],
    ),
    ("sync", &["api", "re2", "template", "budget", "secret", "push", "generator::Making"]),
    (
        "validate",
        &[
            "api",
            "re2",
            "budget",
            "generator::password::check",
            "generator::ssh_key::check",
            "template::Engine",
            "template::funcs",
            "provider::StoreView",
            "provider::RegistryView",
            "provider::ProviderError",
            "provider::registry",
            "provider::azure::Options",
            "provider::azure::OwnIdentity",
            "provider::azure::validate",
            "provider::fake",
        ],
    ),
    (
        "controller",
        &["answers", "api", "template", "budget", "generator", "push", "provider", "sync", "validate", "runtime"],
    ),
    ("webhook", &["api", "provider::StoreView", "provider::azure::Options", "validate", "runtime"]),
    ("certificates", &["answers", "runtime"]),
    (
        "cli",
        &[
            "answers",
            "api",
            "template",
            "budget",
            "runtime",
            "sandbox",
            "provider",
            "sync",
            "validate",
            "controller",
            "webhook",
            "certificates",
            "push",
        ],
    ),
];

/// The modules that are separate crates.
const CRATES: [&str; 4] = ["answers", "re2", "template", "sandbox"];

#[test]
fn modules_use_only_what_the_architecture_lets_them_use() {
    let mut broken = Vec::new();
    for file in files("src", &["rs"]) {
        let text = read(&file);
        broken.extend(violations(&file, &text).into_iter().map(|(line, problem)| format!("{file}:{line}: {problem}")));
    }
    assert!(broken.is_empty(), "the rule \"who may import whom\" of ARCHITECTURE.md is broken:\n{}", broken.join("\n"));
}

#[test]
fn every_permission_is_used() {
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    for file in files("src", &["rs"]) {
        let Some(module) = module_of(&file).into_iter().next() else { continue };
        let Some((module, allowed)) = RULES.iter().find(|(name, _)| *name == module) else { continue };
        for found in paths_in(&file, &read(&file)) {
            used.extend(allowed.iter().filter(|part| is_within(part, &found.path)).map(|part| (*module, *part)));
        }
    }
    let all = RULES.iter().flat_map(|(module, allowed)| allowed.iter().map(move |part| (*module, *part)));
    let unused: Vec<_> = all.filter(|permission| !used.contains(permission)).collect();
    assert!(unused.is_empty(), "no file uses these; take them out of the rule and of ARCHITECTURE.md: {unused:?}");
}

#[test]
fn the_table_in_the_architecture_is_the_one_that_is_enforced() {
    let text = read("ARCHITECTURE.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `src/")?.split_once('`'));
    let documented: Vec<_> =
        rows.map(|(module, row)| (module.trim_end_matches(".rs"), row.trim_end_matches([' ', '|']))).collect();
    assert!(!documented.is_empty(), "ARCHITECTURE.md has no row `| `src/...` | ... | may use |`");
    for (module, _) in RULES.iter().filter(|(module, _)| !CRATES.contains(module)) {
        assert!(documented.iter().any(|(name, _)| name == module), "ARCHITECTURE.md has no row for src/{module}");
    }
    for (module, row) in documented {
        let last = row.rsplit('|').next().unwrap_or_default().trim();
        let (_, enforced) =
            RULES.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("no rule: {module}"));
        let enforced: BTreeSet<_> = enforced.iter().map(|part| part.split("::").next().unwrap_or(part)).collect();
        let named: BTreeSet<_> = last.split('`').skip(1).step_by(2).collect();
        assert!(named == enforced, "src/{module}: ARCHITECTURE.md says {last}, enforced is {enforced:?}");
    }
}

#[test]
fn the_picture_in_the_architecture_shows_only_arrows_that_are_allowed() {
    let text = read("ARCHITECTURE.md");
    let picture = text.split("```mermaid").nth(1).unwrap().split("```").next().unwrap();
    let arrows = picture.lines().filter_map(|line| line.trim().split_once(" --> "));
    let name = |end: &str| end.split('[').next().unwrap().to_owned();
    let mut count = 0;
    for (from, to) in arrows.map(|(from, to)| (name(from), name(to))) {
        // Between crates, the compiler enforces the rule.
        let Some((_, allowed)) = RULES.iter().find(|(module, allowed)| *module == from && !allowed.is_empty()) else {
            continue;
        };
        let is_crate = !RULES.iter().any(|(module, _)| *module == to);
        assert!(is_crate || allowed.iter().any(|part| part.split("::").next() == Some(&to)), "{from} may not use {to}");
        count += 1;
    }
    assert!(count > 10, "the first picture is that of the rooms");
}

/// The lines of a file that break the rule, each with the problem.
fn violations(file: &str, text: &str) -> Vec<(usize, String)> {
    let module = module_of(file);
    let problem = |found: Use| Some((found.line, problem(file, module.first(), &found)?));
    paths_in(file, text).into_iter().filter_map(problem).collect()
}

/// Whether a path leads to a part of the crate, such as `provider::fake`, or into it.
fn is_within(part: &str, path: &[String]) -> bool {
    let mut names = path.iter();
    part.split("::").all(|name| names.next().is_some_and(|found| found == name))
}

/// The problem with a path, if there is one.
fn problem(file: &str, module: Option<&String>, found: &Use) -> Option<String> {
    let used = found.path.join("::");
    let Some(target) = found.path.first().filter(|name| *name != "*") else {
        return Some("names the crate's root: name the module that is meant".to_owned());
    };
    let Some(module) = module else {
        // `lib.rs` declares all modules. `main.rs` uses the library by its name.
        return (file == "src/main.rs" && target != "cli").then(|| format!("main may use cli only, not {used}"));
    };
    let Some((_, allowed)) = RULES.iter().find(|(name, _)| name == module) else {
        return Some(format!("the module {module} has no rule: add it to the table and to ARCHITECTURE.md"));
    };
    if target == module || (target == "sandbox" && found.in_test) {
        return None;
    }
    if allowed.iter().any(|part| is_within(part, &found.path)) {
        return None;
    }
    let allowed =
        if allowed.is_empty() { "no other module".to_owned() } else { format!("only {}", allowed.join(", ")) };
    Some(format!("{module} may use {allowed}, not {used}"))
}

/// The problems of a text as if it were a file of this module.
fn found_in(file: &str, text: &str) -> Vec<String> {
    violations(file, text).into_iter().map(|(line, problem)| format!("{line}: {problem}")).collect()
}

#[test]
fn a_forbidden_import_is_found_with_its_line_however_it_is_written() {
    let forbidden = "api may use only answers, not sync::refresh";
    for text in [
        "\nuse crate::sync::refresh;",
        "\nuse crate::{api::x, sync::refresh};",
        "\nuse super::super::sync::refresh;",
        "\nuse super::{super::sync::refresh};",
        "\nfn f() { crate::sync::refresh() }",
        "\nfn f() { vec![super::super::sync::refresh] }",
        "\nmod inner { use super::super::super::sync::refresh; }",
        "\n#[serde(default = \"crate::sync::refresh\")] struct S;",
        "\npub(in crate::sync::refresh) struct S;",
    ] {
        assert_eq!(found_in("src/api/v1.rs", text), [format!("2: {forbidden}")], "{text}");
    }
}

#[test]
fn what_is_allowed_is_let_through() {
    for (file, text) in [
        ("src/api/v1/mod.rs", "use crate::api::x; use super::y; use self::z; pub(crate) fn f(&self) { self.x }"),
        ("src/sync/plan.rs", "use crate::{api, template::value::Value}; #[cfg(test)] mod tests { use super::*; }"),
        ("src/provider/mod.rs", "use crate::template::funcs::pfx::{self, Parts};"),
        ("src/controller/mod.rs", "#[cfg(test)] mod tests { use crate::sandbox::Vault; }"),
        ("src/cli/mod.rs", "use crate::sandbox;"),
        ("src/lib.rs", "pub mod api; pub use crate::api::X;"),
        ("src/main.rs", "fn main() { external_secrets::cli::run() }"),
    ] {
        assert_eq!(found_in(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn parts_of_modules_roots_and_unknown_modules_are_told_apart() {
    for (file, text, expected) in [
        (
            "src/provider/mod.rs",
            "use crate::template::funcs::json;",
            "provider may use only api, re2, budget, secret, push, template::funcs::pfx, runtime::fair, runtime::log_allowance, not template::funcs::json",
        ),
        (
            "src/provider/mod.rs",
            "use crate::template;",
            "provider may use only api, re2, budget, secret, push, template::funcs::pfx, runtime::fair, runtime::log_allowance, not template",
        ),
        ("src/sync.rs", "use super::*;", "names the crate's root: name the module that is meant"),
        ("src/sync.rs", "use crate as root;", "names the crate's root: name the module that is meant"),
        (
            "src/sync.rs",
            "use crate::cli;",
            "sync may use only api, re2, template, budget, secret, push, generator::Making, not cli",
        ),
        (
            "src/controller/mod.rs",
            "use crate::sandbox::Vault;",
            "controller may use only answers, api, template, budget, generator, push, provider, sync, validate, runtime, not sandbox::Vault",
        ),
        ("src/extra.rs", "use crate::api;", "the module extra has no rule: add it to the table and to ARCHITECTURE.md"),
        ("src/main.rs", "fn main() { external_secrets::sync::run() }", "main may use cli only, not sync::run"),
    ] {
        assert_eq!(found_in(file, text), [format!("1: {expected}")], "{file}: {text}");
    }
}
