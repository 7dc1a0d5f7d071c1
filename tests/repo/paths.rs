//! The paths in a file: each one that starts with `crate`, `super`, `self` or one of the file's own modules, in code,
//! grouped imports, macros and attributes.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path in the code, from the crate's root, and its position.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
    pub(crate) in_test: bool,
    /// The name that a `use` binds to it.
    pub(crate) binds: Option<String>,
    /// Whether it restricts visibility (`pub(in path)`).
    pub(crate) is_visibility: bool,
    /// Whether it is only re-exported (`pub use`): nothing else in the file names it.
    pub(crate) is_handed_on: bool,
}

/// The paths that a file names.
pub(crate) fn paths_in(file: &str, text: &str) -> Vec<Use> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let in_test = file.ends_with("/tests.rs") || file.contains("/tests/");
    let mut uses = Vec::new();
    let place = Place { in_test, within: Within::Anything };
    let mut names = BTreeMap::new();
    count(&tokens, &mut names);
    Reader { uses: &mut uses, children: children(&tokens) }.read(tokens, &module_of(file), place);
    for found in &mut uses {
        // `pub use x::*` re-exports whatever is there.
        found.is_handed_on &= found.binds.as_ref().is_some_and(|name| names.get(name).is_none_or(|times| *times == 1));
    }
    uses
}

/// How often each name occurs in a text.
fn count(tokens: &TokenStream, names: &mut BTreeMap<String, usize>) {
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(name) => *names.entry(name.to_string()).or_default() += 1,
            TokenTree::Group(group) => count(&group.stream(), names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The modules below a file that have files of their own.
fn children(tokens: &TokenStream) -> BTreeSet<String> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let declared = tokens.windows(3).filter_map(|three| match three {
        [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(end)]
            if word == "mod" && end.as_char() == ';' =>
        {
            Some(name.to_string())
        }
        _ => None,
    });
    declared.collect()
}

/// The path of the module in a file: `src/api/v1/mod.rs` is `api::v1`.
pub(crate) fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main"].contains(&path) { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Collects the paths of a stream of tokens.
struct Reader<'a> {
    uses: &'a mut Vec<Use>,
    children: BTreeSet<String>,
}

/// The position of a path.
#[derive(Clone, Copy)]
struct Place {
    in_test: bool,
    within: Within,
}

/// What a path is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Anything,
    /// What follows is public.
    Public,
    /// `use`
    Use,
    /// `pub use`
    PublicUse,
    /// `pub(in path)`
    Visibility,
}

impl Reader<'_> {
    /// Reads the tokens of `module`, or of part of it.
    fn read(&mut self, tokens: TokenStream, module: &[String], place: Place) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        // About the next item: whether it is only for tests, and the module it opens.
        let (mut here, mut inner) = (place, None);
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Ident(name) if name == "mod" => {
                    inner = tokens.get(at).map(|name| [module, &[name.to_string()]].concat());
                }
                TokenTree::Ident(name) if name == "pub" => here.within = Within::Public,
                // But not `impl Trait + use<>`.
                TokenTree::Ident(name) if name == "use" && !is_punct(&tokens, at, '<') => {
                    let is_public = here.within == Within::Public;
                    here.within = if is_public { Within::PublicUse } else { Within::Use };
                }
                TokenTree::Ident(name) if is_root(&name.to_string()) && !follows_path(&tokens, at - 1) => {
                    let module = if name == "external_secrets" { &[] } else { module };
                    at = self.path(&tokens, at - 1, &mut Vec::new(), module, here);
                }
                TokenTree::Ident(name) if self.is_child(&name.to_string(), &tokens, at) => {
                    at = self.path(&tokens, at - 1, &mut vec!["self".to_owned()], module, here);
                }
                TokenTree::Group(group) => {
                    let attribute =
                        group.delimiter() == Delimiter::Bracket && is_punct(&tokens, at.wrapping_sub(2), '#');
                    if attribute {
                        here.in_test |= is_cfg_test(&group.stream());
                    }
                    let module = inner.as_deref().filter(|_| group.delimiter() == Delimiter::Brace).unwrap_or(module);
                    let within = if is_visibility(group) { Within::Visibility } else { Within::Anything };
                    let is_use = matches!(here.within, Within::Use | Within::PublicUse);
                    self.read(group.stream(), module, if is_use { here } else { Place { within, ..here } });
                    if group.delimiter() == Delimiter::Brace && !is_use {
                        (here, inner) = (place, None);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => (here, inner) = (place, None),
                TokenTree::Literal(literal) => self.literal(literal, module, here),
                _ => {}
            }
        }
    }

    /// Reads the path or tree of paths at `tokens[at]`, which continues `prefix`; returns where it ends.
    fn path(
        &mut self,
        tokens: &[TokenTree],
        mut at: usize,
        prefix: &mut Vec<String>,
        module: &[String],
        place: Place,
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
                        self.path(branch, 0, &mut prefix.clone(), module, place);
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
        // `pub(crate)`, `self.x` and `super` in `pub(super)` are not paths, unless renamed.
        let renamed = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "as");
        if !(alone && prefix.len() == 1) || renamed {
            let path = resolve(prefix, module);
            let name = tokens.get(at + 1).filter(|_| renamed).map(ToString::to_string).or_else(|| path.last().cloned());
            self.uses.push(Use {
                line,
                binds: name.filter(|_| matches!(place.within, Within::Use | Within::PublicUse)),
                ..Use::at(path, place)
            });
        }
        at
    }

    /// Whether a name starts a path into one of the file's own modules.
    fn is_child(&self, name: &str, tokens: &[TokenTree], at: usize) -> bool {
        self.children.contains(name)
            && is_punct(tokens, at, ':')
            && is_punct(tokens, at + 1, ':')
            && !follows_path(tokens, at - 1)
    }

    /// A path in an attribute's string, such as `default = "crate::api::x"`.
    fn literal(&mut self, literal: &proc_macro2::Literal, module: &[String], place: Place) {
        let text = literal.to_string();
        let text = text.trim_matches('"');
        let segments: Vec<_> = text.split("::").map(str::to_owned).collect();
        let is_name =
            |segment: &String| segment.chars().all(|c| c.is_alphanumeric() || c == '_') && !segment.is_empty();
        if segments.len() > 1 && is_root(&segments[0]) && segments.iter().all(is_name) {
            let line = literal.span().start().line;
            self.uses.push(Use { line, ..Use::at(resolve(&segments, module), place) });
        }
    }
}

impl Use {
    fn at(path: Vec<String>, place: Place) -> Self {
        Self {
            line: 0,
            path,
            in_test: place.in_test,
            binds: None,
            is_visibility: place.within == Within::Visibility,
            is_handed_on: place.within == Within::PublicUse,
        }
    }
}

/// Whether a group restricts visibility: `(in path)`.
fn is_visibility(group: &proc_macro2::Group) -> bool {
    group.delimiter() == Delimiter::Parenthesis
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "in")
}

/// The path from the crate's root, given a path in `module`.
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
