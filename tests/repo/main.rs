//! What must hold for the repository itself: generated files are current, the CRDs have ESO's schema, modules import
//! only what they may, and examples are valid.

// If a test cannot continue, it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
mod arrows;
mod chart;
mod completion;
mod crds;
mod dependency_rule;
mod docs;
mod examples;
mod fuzz;
mod image;
mod languages;
mod links;
mod lint;
mod machine;
mod manifest;
mod migrate;
mod monitoring;
mod node_values;
mod paths;
mod pipeline;
mod promql;
mod readme;
mod render;
mod schema;
mod security;
mod toolchain;
mod unsupported;
mod values;
mod workflow;

use std::path::{Path, PathBuf};

/// A path below the repository's root.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What the program prints.
fn printed(arguments: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_external-secrets")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text of a file below the repository's root.
fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder with one of the extensions, sorted; relative to the repository's root.
fn files(folder: &str, extensions: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![repository(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
                found.push(path.strip_prefix(repository("")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The document with `content` between a section's markers.
fn with_section(document: &str, section: &str, content: &str) -> String {
    let (before, rest) = document.split_once(&format!("<!-- {section} -->\n")).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}<!-- {section} -->\n{content}<!-- end -->{after}")
}
