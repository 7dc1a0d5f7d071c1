//! Enforces which module may use which, as ARCHITECTURE.md says, by reading every path that starts
//! with `crate`, `super` or `self` in `src`: in code, in grouped imports, in macros and in attributes.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{files, read};

/// Each top-level module and what else it may use: a module, or only a part of one.
const RULES: [(&str, &[&str]); 14] = [
    ("answers", &[]),
    ("api", &["answers"]),
    ("re2", &[]),
    ("template", &["re2"]),
    ("runtime", &["answers"]),
    ("sandbox", &[]),
    ("budget", &["re2"]),
    ("provider", &["api", "re2", "budget", "template::funcs::pfx", "runtime::metrics"]),
    ("sync", &["api", "re2", "template", "budget"]),
    (
        "validate",
        &[
            "api",
            "re2",
            "budget",
            "template::Engine",
            "template::funcs",
            "provider::StoreView",
            "provider::ProviderError",
            "provider::registry",
            "provider::azure::Options",
            "provider::azure::OwnIdentity",
            "provider::azure::validate",
            "provider::fake",
        ],
    ),
    ("controller", &["answers", "api", "template", "budget", "provider", "sync", "validate", "runtime"]),
    ("webhook", &["api", "validate", "runtime"]),
    ("certificates", &["answers", "api", "validate", "runtime"]),
    (
        "cli",
        &[
            "answers",
            "api",
            "re2",
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
        ],
    ),
];

/// A path in the code, from the crate's root, and where it stands.
#[derive(Debug)]
struct Use {
    line: usize,
    path: Vec<String>,
    in_test: bool,
}

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
fn the_table_in_the_architecture_is_the_one_that_is_enforced() {
    let text = read("ARCHITECTURE.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `src/")?.split_once('`'));
    let documented: Vec<_> = rows.map(|(module, row)| (module, row.trim_end_matches([' ', '|']))).collect();
    assert!(!documented.is_empty(), "ARCHITECTURE.md has no row `| `src/...` | ... | may use |`");
    for (module, row) in documented {
        let last = row.rsplit('|').next().unwrap_or_default().trim();
        let (_, enforced) =
            RULES.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("no rule: {module}"));
        let enforced: BTreeSet<_> = enforced.iter().map(|part| part.split("::").next().unwrap_or(part)).collect();
        let named: BTreeSet<_> = last.split('`').skip(1).step_by(2).collect();
        let all = last == "all" && enforced.len() == RULES.len() - 1;
        assert!(all || named == enforced, "src/{module}: ARCHITECTURE.md says {last}, enforced is {enforced:?}");
    }
}

/// The lines of a file that break the rule, each with what is wrong.
fn violations(file: &str, text: &str) -> Vec<(usize, String)> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let module = module_of(file);
    let in_test = file.ends_with("/tests.rs") || file.contains("/tests/");
    let mut uses = Vec::new();
    Reader { uses: &mut uses }.read(tokens, &module, in_test);
    let problems = uses.into_iter().filter_map(|found| Some((found.line, problem(file, module.first(), &found)?)));
    problems.collect()
}

/// The path of the module that a file holds: `src/api/v1/mod.rs` is `api::v1`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main"].contains(&path) { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// What is wrong with a path, if anything.
fn problem(file: &str, module: Option<&String>, found: &Use) -> Option<String> {
    let used = found.path.join("::");
    let Some(target) = found.path.first().filter(|name| *name != "*") else {
        return Some("names the crate's root: name the module that is meant".to_owned());
    };
    let Some(module) = module else {
        // `lib.rs` is the map of all modules. `main.rs` reads the library by its name.
        return (file == "src/main.rs" && target != "cli").then(|| format!("main may use cli only, not {used}"));
    };
    let Some((_, allowed)) = RULES.iter().find(|(name, _)| name == module) else {
        return Some(format!("the module {module} has no rule: add it to the table and to ARCHITECTURE.md"));
    };
    if target == module || (target == "sandbox" && found.in_test) {
        return None;
    }
    let within = |allowed: &&&str| {
        let allowed: Vec<_> = allowed.split("::").collect();
        found.path.len() >= allowed.len() && allowed.iter().zip(&found.path).all(|(allowed, name)| allowed == name)
    };
    if allowed.iter().any(|part| within(&part)) {
        return None;
    }
    let allowed =
        if allowed.is_empty() { "no other module".to_owned() } else { format!("only {}", allowed.join(", ")) };
    Some(format!("{module} may use {allowed}, not {used}"))
}

/// Collects the paths of a stream of tokens.
struct Reader<'a> {
    uses: &'a mut Vec<Use>,
}

impl Reader<'_> {
    /// Reads the tokens of `module` or of a part of it.
    fn read(&mut self, tokens: TokenStream, module: &[String], in_test: bool) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        // Of the item that follows: whether it is for tests only, and the module that it opens.
        let (mut for_tests, mut inner) = (in_test, None);
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Ident(name) if name == "mod" => {
                    inner = tokens.get(at).map(|name| [module, &[name.to_string()]].concat());
                }
                TokenTree::Ident(name) if is_root(&name.to_string()) && !follows_path(&tokens, at - 1) => {
                    let module = if name == "external_secrets" { &[] } else { module };
                    at = self.path(&tokens, at - 1, &mut Vec::new(), module, for_tests);
                }
                TokenTree::Group(group) => {
                    let attribute =
                        group.delimiter() == Delimiter::Bracket && is_punct(&tokens, at.wrapping_sub(2), '#');
                    if attribute {
                        for_tests |= is_cfg_test(&group.stream());
                    }
                    let module = inner.as_deref().filter(|_| group.delimiter() == Delimiter::Brace).unwrap_or(module);
                    self.read(group.stream(), module, for_tests);
                    if group.delimiter() == Delimiter::Brace {
                        (for_tests, inner) = (in_test, None);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => (for_tests, inner) = (in_test, None),
                TokenTree::Literal(literal) => self.literal(literal, module, for_tests),
                _ => {}
            }
        }
    }

    /// Reads the path, or tree of paths, at `tokens[at]` that continues `prefix`; returns where it ends.
    fn path(
        &mut self,
        tokens: &[TokenTree],
        mut at: usize,
        prefix: &mut Vec<String>,
        module: &[String],
        in_test: bool,
    ) -> usize {
        let line = tokens[at].span().start().line;
        let alone = prefix.is_empty();
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(name) => prefix.push(name.to_string().trim_start_matches("r#").to_owned()),
                TokenTree::Punct(star) if star.as_char() == '*' => prefix.push("*".to_owned()),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    for branch in inner.split(is_comma).filter(|branch| !branch.is_empty()) {
                        self.path(branch, 0, &mut prefix.clone(), module, in_test);
                    }
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
            if !(is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')) {
                break;
            }
            at += 2;
        }
        // `pub(crate)`, `self.x`, `super` in `pub(super)`: no path, unless it is given another name.
        let renamed = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "as");
        if !(alone && prefix.len() == 1) || renamed {
            self.uses.push(Use { line, path: resolve(prefix, module), in_test });
        }
        at
    }

    /// A path in a text of an attribute, such as `default = "crate::api::x"`.
    fn literal(&mut self, literal: &proc_macro2::Literal, module: &[String], in_test: bool) {
        let text = literal.to_string();
        let text = text.trim_matches('"');
        let segments: Vec<_> = text.split("::").map(str::to_owned).collect();
        let is_name =
            |segment: &String| segment.chars().all(|c| c.is_alphanumeric() || c == '_') && !segment.is_empty();
        if segments.len() > 1 && is_root(&segments[0]) && segments.iter().all(is_name) {
            let line = literal.span().start().line;
            self.uses.push(Use { line, path: resolve(&segments, module), in_test });
        }
    }
}

/// The path from the crate's root, of one that stands in `module`.
fn resolve(path: &[String], module: &[String]) -> Vec<String> {
    let mut resolved = Vec::new();
    for (index, segment) in path.iter().enumerate() {
        match segment.as_str() {
            "crate" | "external_secrets" if index == 0 => {}
            "self" if index == 0 => resolved = module.to_vec(),
            // `use x::{self}`
            "self" => {}
            "super" => {
                if index == 0 {
                    resolved = module.to_vec();
                }
                resolved.pop();
            }
            _ => resolved.push(segment.clone()),
        }
    }
    resolved
}

fn is_root(name: &str) -> bool {
    ["crate", "super", "self", "external_secrets"].contains(&name)
}

/// Whether the name at `at` continues a path, as `self` does in `use x::self`.
fn follows_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_punct(tokens, at - 1, ':') && is_punct(tokens, at - 2, ':')
}

fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// Whether the inside of an attribute is `cfg(test)` or a combination with it.
fn is_cfg_test(attribute: &TokenStream) -> bool {
    let text = attribute.to_string();
    let words: BTreeSet<_> = text.split(|c: char| !c.is_alphanumeric()).collect();
    text.starts_with("cfg") && words.contains("test") && !words.contains("not")
}

/// The problems of a text as a file of a module.
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
        ("src/provider/mod.rs", "use crate::runtime::metrics::{self, Counter};"),
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
            "use crate::runtime::health;",
            "provider may use only api, re2, budget, template::funcs::pfx, runtime::metrics, not runtime::health",
        ),
        (
            "src/provider/mod.rs",
            "use crate::runtime;",
            "provider may use only api, re2, budget, template::funcs::pfx, runtime::metrics, not runtime",
        ),
        ("src/sync.rs", "use super::*;", "names the crate's root: name the module that is meant"),
        ("src/sync.rs", "use crate as root;", "names the crate's root: name the module that is meant"),
        ("src/sync.rs", "use crate::cli;", "sync may use only api, re2, template, budget, not cli"),
        (
            "src/controller/mod.rs",
            "use crate::sandbox::Vault;",
            "controller may use only answers, api, template, budget, provider, sync, validate, runtime, not sandbox::Vault",
        ),
        ("src/extra.rs", "use crate::api;", "the module extra has no rule: add it to the table and to ARCHITECTURE.md"),
        ("src/main.rs", "fn main() { external_secrets::sync::run() }", "main may use cli only, not sync::run"),
    ] {
        assert_eq!(found_in(file, text), [format!("1: {expected}")], "{file}: {text}");
    }
}
