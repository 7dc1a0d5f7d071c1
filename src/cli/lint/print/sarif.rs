//! As SARIF 2.1.0 (OASIS), which code scanning takes.

use std::fmt::Write as _;
use std::path::{Component, Path};

use clap::ValueEnum as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli::lint::problem::{Id, Problem};

/// The log of a run.
pub(in crate::cli::lint) fn document(problems: &[Problem]) -> Value {
    let rules = Id::value_variants().iter().map(|id| {
        json!({
            "id": id.name(),
            "shortDescription": {"text": id.about()},
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "external-secrets lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": problems.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(problem: &Problem) -> Value {
    json!({
        "ruleId": problem.id.name(),
        "level": problem.level.name(),
        "message": {"text": problem.sentence()},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&problem.path)},
            "region": {"startLine": problem.mark.line, "startColumn": problem.mark.column},
        }}],
        "partialFingerprints": {"external-secrets-lint/v1": fingerprint(problem)},
    })
}

/// A path as a relative reference, if it is relative.
fn uri(path: &str) -> String {
    let path = Path::new(path);
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(escaped(&part.to_string_lossy())),
        Component::ParentDir => Some("..".to_owned()),
        _ => None,
    });
    let joined = parts.collect::<Vec<_>>().join("/");
    if path.is_absolute() { format!("file:///{joined}") } else { joined }
}

fn escaped(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// What stays the same when lines move.
fn fingerprint(problem: &Problem) -> String {
    let said = [problem.id.name().as_str(), &problem.path, &problem.field, &problem.message].join("\0");
    Sha256::digest(said.as_bytes()).iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references_relative_to_the_repository() {
        assert_eq!(uri("./a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("../x.yaml"), "../x.yaml");
    }
}
