//! Which file uses which: no cycles in `src`, a controller core that knows no kind, and kinds that know each other only
//! through interfaces.
//!
//! An arrow points to the file that defines what is used, even if another re-exports it with `pub use`, which draws no
//! arrow itself. Tests draw no arrows, nor does the declaration of a module.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{Use, module_of, paths_in};
use crate::{files, read};

/// The arrows between files, each with the first name that drew it.
#[derive(Default)]
struct Arrows(BTreeMap<String, BTreeMap<String, String>>);

impl Arrows {
    fn of_src() -> Self {
        Self::of(files("src", &["rs"]).into_iter().map(|file| (read(&file), file)))
    }

    fn of(files: impl Iterator<Item = (String, String)>) -> Self {
        let used: BTreeMap<_, _> = files.map(|(text, file)| (file.clone(), paths_in(&file, &text))).collect();
        let modules: BTreeMap<_, _> = used.keys().map(|file| (module_of(file), file.clone())).collect();
        let crossroads = Crossroads { modules, used: &used };
        let mut arrows = Self::default();
        for (file, uses) in &used {
            let outgoing = arrows.0.entry(file.clone()).or_default();
            for found in uses.iter().filter(|found| !found.in_test && !found.is_visibility && !found.is_handed_on) {
                let Some((target, name)) = crossroads.follow(&found.path, 0) else { continue };
                if target != file {
                    outgoing.entry(target.clone()).or_insert_with(|| format!("line {}: {name}", found.line));
                }
            }
        }
        arrows
    }

    /// All arrows: from, to, and through which name.
    fn all(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().flat_map(|(from, to)| to.iter().map(move |(to, by)| (from.as_str(), to.as_str(), by.as_str())))
    }

    /// The files reachable from one.
    fn reached_from(&self, file: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            for next in self.0.get(file).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        reached
    }

    /// The cycles, each with its files and the arrows between them.
    fn circles(&self) -> Vec<String> {
        let reached: BTreeMap<_, _> = self.0.keys().map(|file| (file.as_str(), self.reached_from(file))).collect();
        let together = |a: &str, b: &str| reached[a].contains(b) && reached.get(b).is_some_and(|of| of.contains(a));
        let mut told = BTreeSet::new();
        let mut circles = Vec::new();
        for file in reached.keys().filter(|file| together(file, file)) {
            if told.contains(file) {
                continue;
            }
            let members: BTreeSet<_> = reached.keys().filter(|other| together(file, other)).copied().collect();
            let arrows = self.all().filter(|(from, to, _)| members.contains(from) && members.contains(to));
            let arrows: Vec<_> = arrows.map(|(from, to, by)| format!("  {from} -> {to} ({by})")).collect();
            circles.push(format!("a circle of {} files:\n{}", members.len(), arrows.join("\n")));
            told.extend(members);
        }
        circles
    }
}

/// Resolves paths.
struct Crossroads<'a> {
    modules: BTreeMap<Vec<String>, String>,
    used: &'a BTreeMap<String, Vec<Use>>,
}

impl Crossroads<'_> {
    /// The file that defines what a path names, and its name there.
    fn follow(&self, path: &[String], hops: usize) -> Option<(&String, String)> {
        let length = (1..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let file = &self.modules[&path[..length]];
        let Some(name) = path.get(length) else { return Some((file, path.join("::"))) };
        let handed_on = self.used[file].iter().find(|found| found.binds.as_ref() == Some(name) && !found.in_test);
        match handed_on {
            Some(found) if hops < 8 && found.path != path[..=length] => {
                let further = [&found.path[..], &path[length + 1..]].concat();
                self.follow(&further, hops + 1).or_else(|| Some((file, path.join("::"))))
            }
            _ => Some((file, path.join("::"))),
        }
    }
}

/// What the core of the controllers may use of the custom resources: what they all share.
const OF_ALL_KINDS: [&str; 5] =
    ["api::ANNOTATION_REFRESH", "api::GROUP", "api::ServedVersion", "api::v1::Condition", "api::v1::ConditionStatus"];

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circles = Arrows::of_src().circles();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn the_core_of_the_controllers_knows_no_kind() {
    let mut broken = Vec::new();
    for (from, to, by) in Arrows::of_src().all() {
        if from.starts_with(CORE) && to.starts_with(CONTROLLERS) && !to.starts_with(CORE) {
            broken.push(format!("{from} -> {to} ({by})"));
        }
    }
    for file in files(CORE, &["rs"]) {
        for found in paths_in(&file, &read(&file)).into_iter().filter(|found| !found.in_test) {
            let path = found.path.join("::");
            if path.starts_with("api::") && !OF_ALL_KINDS.contains(&path.as_str()) {
                broken.push(format!("{file}:{}: {path}", found.line));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn kinds_know_each_other_only_through_interfaces() {
    let kind = |file: &str| {
        let (folder, _) = file.strip_prefix(CONTROLLERS)?.split_once('/')?;
        (!SHARED.contains(&folder)).then(|| folder.to_owned())
    };
    let mut broken = Vec::new();
    for (from, to, by) in Arrows::of_src().all().filter(|(from, ..)| from.starts_with(CONTROLLERS)) {
        // The list of kinds assembles them. Fuzz targets see each.
        let lists = ["kinds.rs", "kinds/pushing.rs", "fuzzing.rs"];
        let is_list = lists.iter().any(|list| from.strip_prefix(CONTROLLERS) == Some(list));
        if kind(to).is_some() && kind(from) != kind(to) && !is_list {
            broken.push(format!("{from} -> {to} ({by})"));
        }
    }
    assert!(broken.is_empty(), "see \"To add a kind\" in CONTRIBUTING.md:\n{}", broken.join("\n"));
}

/// The controllers.
const CONTROLLERS: &str = "src/controller/";
/// The core they share.
const CORE: &str = "src/controller/core/";
/// Folders of the controllers that are not kinds.
const SHARED: [&str; 5] = ["core", "generators", "kinds", "store_access", "run"];

fn of(files: &[(&str, &str)]) -> Arrows {
    Arrows::of(files.iter().map(|(file, text)| ((*text).to_owned(), (*file).to_owned())))
}

#[test]
fn an_arrow_points_to_the_file_that_defines_what_is_used() {
    let arrows = of(&[
        ("src/a/mod.rs", "mod b; mod e; pub use b::B; pub(in crate::c) use b::D as E; pub use e::G; fn f() -> G {}"),
        ("src/a/b.rs", "#[cfg(test)] mod tests { use crate::c::C; }"),
        ("src/c.rs", "use crate::a::{B, E}; use crate::d; pub(in crate::a) fn f() { d::g() }"),
        ("src/d.rs", "pub fn g() {}"),
        ("src/a/e.rs", ""),
    ]);
    let found: Vec<_> = arrows.all().map(|(from, to, _)| (from, to)).collect();
    assert_eq!(found, [("src/a/mod.rs", "src/a/e.rs"), ("src/c.rs", "src/a/b.rs"), ("src/c.rs", "src/d.rs")]);
    assert_eq!(arrows.circles(), Vec::<String>::new());
}

#[test]
fn a_circle_is_found_with_its_arrows() {
    let arrows = of(&[
        ("src/a/mod.rs", "mod b;\nfn f() { b::g() }"),
        ("src/a/b.rs", "use super::K; pub fn g() { crate::c::h() }"),
        ("src/c.rs", "use crate::a::K;"),
        ("src/d.rs", "use crate::c;"),
    ]);
    let [circle] = &arrows.circles()[..] else { panic!("{:?}", arrows.circles()) };
    assert!(circle.starts_with("a circle of 3 files:\n"), "{circle}");
    assert!(circle.contains("src/a/mod.rs -> src/a/b.rs (line 2: a::b::g)"), "{circle}");
    assert!(!circle.contains("src/d.rs"), "{circle}");
}
