//! Links between Markdown files resolve, and every command in them is run or says why not.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use test_stage::markdown::{Block, blocks, pages};

use crate::{read, repository};

/// The text of a page without its fenced blocks.
fn prose(page: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in read(page).lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line.to_owned()));
        }
    }
    lines
}

/// The link targets in a line, outside of code.
fn links(line: &str) -> Vec<String> {
    let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors that GitHub generates for a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(page) {
        let Some(heading) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else { continue };
        let kept = heading.trim().chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
        let slug: String = kept.map(|one| if one == ' ' { '-' } else { one }).collect::<String>().to_lowercase();
        let mut numbered = slug.clone();
        let mut number = 0;
        while !anchors.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{slug}-{number}");
        }
    }
    anchors
}

/// A path from the repository's root, with its `..` resolved.
fn from_root(page: &str, target: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} leads out of the repository"),
            part => path.push(part),
        }
    }
    path
}

#[test]
fn every_path_that_the_architecture_names_is_there() {
    let text = read("ARCHITECTURE.md");
    let named = text.split('`').filter(|word| {
        ["src/", "crates/", "tests/", "helm/", "docs/"].iter().any(|start| word.starts_with(start))
            && !word.contains([' ', '\n'])
    });
    let missing: Vec<_> = named.filter(|path| !repository(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    assert!(pages.len() > 10, "{pages:?}");
    let mut wrong = Vec::new();
    for page in &pages {
        for (line, target) in
            prose(page).iter().flat_map(|(line, text)| links(text).into_iter().map(move |to| (line, to)))
        {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let found = if path.is_empty() { PathBuf::from(page) } else { from_root(page, path) };
            let is_page = found.extension().is_some_and(|extension| extension == "md");
            let found = found.to_str().unwrap();
            if !repository(found).exists() {
                wrong.push(format!("{page}:{line}: there is no {target}"));
            } else if !anchor.is_empty() && is_page && !anchors(found).contains(anchor) {
                wrong.push(format!("{page}:{line}: {found} has no heading #{anchor}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_of_the_documentation_is_in_its_index() {
    let index = read("docs/README.md");
    for page in pages() {
        if let Some(name) = page.strip_prefix("docs/").filter(|name| *name != "README.md" && !name.starts_with("adr/"))
        {
            assert!(index.contains(&format!("({name})")), "docs/README.md does not lead to {page}");
        }
    }
}

#[test]
fn what_is_not_run_of_the_commands_has_its_reason() {
    let blocks: Vec<_> = pages().iter().flat_map(|page| blocks(page)).filter(Block::is_shell).collect();
    assert!(blocks.iter().filter(|block| block.not_run().is_none()).count() > 20, "the pages have hardly a command");
    for block in &blocks {
        let (page, line) = (&block.page, block.line);
        assert!(["sh", "console"].contains(&&*block.language), "{page}:{line}: call it sh or console");
        if let Some(reason) = block.not_run() {
            assert!(reason.len() > 10, "{page}:{line}: say why it is not run");
        }
    }
}

#[test]
fn what_the_pages_say_that_the_demo_shows_is_in_its_story() {
    let story = read("src/cli/demo/story.rs").replace("\\\"", "\"");
    let of_demo = |reason: &str| reason.starts_with("`make demo` shows it");
    let mut shown = 0;
    for block in pages().iter().flat_map(|page| blocks(page)) {
        if !block.not_run().is_some_and(of_demo) {
            continue;
        }
        for (command, _) in block.commands() {
            shown += 1;
            assert!(story.contains(&command), "{}:{}: the demo does not run: {command}", block.page, block.line);
        }
    }
    assert!(shown > 10, "{shown}");
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(links("a [b](c.md#d) and `[not](this)` [e](#f)"), ["c.md#d", "#f"]);
    assert!(anchors("docs/compatibility.md").contains("crds-that-eso-installed"));
}

#[test]
fn every_page_that_a_command_names_is_there_with_its_heading() {
    let mut named = BTreeSet::new();
    for file in crate::files("src/cli", &["rs"]) {
        let text = read(&file);
        named
            .extend(text.split("\"docs/").skip(1).filter_map(|rest| Some(format!("docs/{}", rest.split_once('"')?.0))));
    }
    assert!(named.len() > 5, "{named:?}");
    for see in named {
        let (page, anchor) = see.split_once('#').unwrap_or((&see, ""));
        assert!(repository(page).is_file(), "{see} is not there");
        assert!(anchor.is_empty() || anchors(page).contains(anchor), "{page} has no heading #{anchor}");
    }
}
