//! `external-secrets migrate manifests`: v1beta1 becomes v1, which has the same fields, so that only the version's bytes change.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::error::Error;
use crate::api::{ServedVersion, is_ours};
use crate::cli::exit_code;
use crate::cli::inputs::files::{self, File, Named};
use crate::cli::person::printing::note;
use crate::cli::source::documents::{Document, documents};
use crate::cli::source::edit::{self, Edit};
use crate::cli::source::tree::Node;

/// The kinds that `v1` has. Those of other versions of the group, as PushSecret, stay.
const KINDS: [&str; 4] = ["ExternalSecret", "ClusterExternalSecret", "SecretStore", "ClusterSecretStore"];

/// Converts manifests from v1beta1 to v1. Only the version changes: comments, quotes and order are kept.
///
/// Prints all documents, or changes the files with --in-place. Reports what it did on standard error. Exits with 1 if something is left to do
/// by hand.
#[derive(Args, Debug)]
pub(super) struct ManifestsArguments {
    /// Files or folders with manifests; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Change the files
    #[arg(long)]
    in_place: bool,
    /// Only report what would change; exits with 2 if anything would
    #[arg(long)]
    check: bool,
}

pub(super) fn execute(arguments: &ManifestsArguments) -> Result<ExitCode, Error> {
    let mut code = ExitCode::SUCCESS;
    let mut changed = 0;
    let mut out = std::io::stdout();
    for file in files::read(&arguments.paths)? {
        let converted = convert(&file);
        for line in &converted.said {
            note(line);
        }
        changed += converted.changed;
        if converted.is_by_hand {
            code = ExitCode::FAILURE;
        }
        match (&file.path, arguments.in_place, arguments.check) {
            (_, _, true) => {}
            (Some(path), true, _) if converted.changed > 0 => {
                std::fs::write(path, &converted.text).map_err(|source| Error::Write { path: path.clone(), source })?;
            }
            (Some(_), true, _) => {}
            _ => print(&mut out, &converted.text)?,
        }
    }
    let done = if arguments.check { "to write as v1" } else { "written as v1" };
    note(&format!("{changed} objects {done}"));
    Ok(if arguments.check && changed > 0 && code == ExitCode::SUCCESS {
        ExitCode::from(exit_code::CHANGES)
    } else {
        code
    })
}

/// Prints a file so that what follows is another document.
fn print(out: &mut impl std::io::Write, text: &str) -> Result<(), Error> {
    let begins = text.trim_start().starts_with("---") || text.trim_start().starts_with('{');
    let lead = if begins { "" } else { "---\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    Ok(write!(out, "{lead}{text}{end}")?)
}

/// What has become of a file.
struct Converted {
    text: String,
    /// How many objects are of v1 now.
    changed: usize,
    /// What was done, and what is left.
    said: Vec<String>,
    /// Whether something is left.
    is_by_hand: bool,
}

fn convert(file: &File) -> Converted {
    let mut converted = Converted { text: String::new(), changed: 0, said: Vec::new(), is_by_hand: false };
    let mut edits = Vec::new();
    for document in documents(&file.text) {
        match document {
            Ok(document) => of_document(file, &document, &mut edits, &mut converted),
            Err(broken) => {
                let is_ours = file.text.get(broken.range.clone()).is_some_and(|text| text.contains(crate::api::GROUP));
                if is_ours || file.named == Named::Itself {
                    let (line, problem) = (broken.why.mark.line, broken.why.problem);
                    converted.by_hand(format!("{}:{line}: by hand: this is not valid YAML: {problem}", file.name()));
                }
            }
        }
    }
    converted.text = edit::apply(&file.text, edits);
    converted
}

impl Converted {
    fn by_hand(&mut self, line: String) {
        self.is_by_hand = true;
        self.said.push(line);
    }
}

/// A document itself, or the items of a List.
fn of_document(file: &File, document: &Document, edits: &mut Vec<Edit>, converted: &mut Converted) {
    let items = document.value["items"].as_array().filter(|_| document.value["kind"] == "List");
    let objects: Vec<(&Value, String)> = match items {
        Some(items) => items.iter().enumerate().map(|(i, item)| (item, format!("items[{i}].apiVersion"))).collect(),
        None => vec![(&document.value, "apiVersion".to_owned())],
    };
    for (object, path) in objects {
        let (version, kind) = (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str());
        let Some(kind) = kind.filter(|kind| KINDS.contains(kind) && is_ours(version)) else { continue };
        if version == ServedVersion::V1.api_version() {
            continue;
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let found = document.tree.find(&path);
        let line = document.mark(found.as_ref().map_or(document.tree.mark, |found| found.at.mark)).line;
        let place = format!("{}:{line}: {kind} {name:?}", file.name());
        let edit = found.filter(|found| found.is_whole).and_then(|found| replaced(found.value, document, &file.text));
        match edit.filter(|_| version == ServedVersion::V1beta1.api_version()) {
            Some(edit) => {
                edits.push(edit);
                converted.changed += 1;
                converted.said.push(format!("{place}: apiVersion: v1beta1 is v1"));
            }
            None if version == ServedVersion::V1beta1.api_version() => {
                converted.by_hand(format!("{place}: apiVersion: by hand: write {}", ServedVersion::V1.api_version()));
            }
            None => converted.by_hand(format!("{place}: apiVersion: by hand: {version:?} has other fields than v1")),
        }
    }
}

/// The version's own bytes, if they stand there as they are.
fn replaced(node: &Node, document: &Document, text: &str) -> Option<Edit> {
    let start = document.range.start + node.range.start;
    let at = text.get(start..document.range.start + node.range.end)?.find(ServedVersion::V1beta1.name())?;
    let start = start + at;
    Some(Edit::new(start..start + ServedVersion::V1beta1.name().len(), ServedVersion::V1.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> Converted {
        convert(&File { path: Some("x.yaml".into()), text: text.to_owned(), named: Named::Itself })
    }

    #[test]
    fn only_the_version_changes() {
        let text = "# mine\napiVersion: 'external-secrets.io/v1beta1' # old\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {data: []} # v1beta1\n---\napiVersion: external-secrets.io/v1\nkind: SecretStore\n---\napiVersion: v1\nkind: List\nitems:\n- {kind: SecretStore, apiVersion: external-secrets.io/v1beta1}\n- {kind: PushSecret, apiVersion: external-secrets.io/v1alpha1}\n";
        let converted = converted(text);
        let expected = text
            .replacen("'external-secrets.io/v1beta1'", "'external-secrets.io/v1'", 1)
            .replace("apiVersion: external-secrets.io/v1beta1}", "apiVersion: external-secrets.io/v1}");
        assert_eq!((converted.text, converted.changed, converted.is_by_hand), (expected, 2, false));
        assert_eq!(converted.said[0], "x.yaml:2: ExternalSecret \"a\": apiVersion: v1beta1 is v1");
    }

    #[test]
    fn what_has_other_fields_is_left_to_a_person() {
        let text = "apiVersion: external-secrets.io/v1alpha1\nkind: ExternalSecret\nmetadata: {name: a}\n---\na: [\n";
        let converted = converted(text);
        assert_eq!((converted.text.as_str(), converted.is_by_hand), (text, true));
        assert_eq!(
            converted.said[0],
            "x.yaml:1: ExternalSecret \"a\": apiVersion: by hand: \"external-secrets.io/v1alpha1\" has other fields than v1"
        );
        assert!(converted.said[1].starts_with("x.yaml:5: by hand: this is not valid YAML: "), "{:?}", converted.said);
    }
}
