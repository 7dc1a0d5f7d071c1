//! All checks of the files that were given.

use super::fields::{self, Completeness};
use super::object::Object;
use super::problem::{Finding, Fix, Id, Level, Problem};
use super::{kinds, patches, specs, together};
use crate::cli::inputs::files::{File, Named};
use crate::cli::source::documents::{Broken, Document, documents};

/// What a comment above a document begins with that disables checks in it.
const DISABLE: &str = "external-secrets-lint: disable=";

/// What is wrong with these files, in their order.
pub(super) fn check(files: &[File], disabled: &[Id]) -> Vec<Problem> {
    let patches = patches::of(files);
    let names: Vec<String> = files.iter().map(File::name).collect();
    let read: Vec<_> = files.iter().map(Readable::of).collect();
    let (mut problems, mut objects) = (Vec::new(), Vec::new());
    for (index, (file, Readable { documents, broken })) in files.iter().zip(&read).enumerate() {
        let path = names[index].as_str();
        problems.extend(broken.iter().filter_map(|broken| unreadable(index, path, file, broken)));
        let completeness = if patches::is_one(file, &patches) { Completeness::Patch } else { Completeness::Whole };
        for (document, ids) in documents {
            let found = Object::of((index, path), document, completeness, ids);
            if file.named == Named::Itself {
                problems.extend(found.iter().filter_map(no_object));
            }
            objects.extend(found);
        }
    }
    for object in objects.iter().filter(|object| kinds::is_ours(object.group())) {
        problems.extend(object.repeated_keys());
        problems.extend(of_object(object).into_iter().filter_map(|finding| object.problem(finding)));
    }
    problems.extend(together::check(&objects));
    problems.retain(|problem| !disabled.contains(&problem.id));
    problems.sort_by(|one, other| {
        let key = |problem: &Problem| (problem.file, problem.mark, problem.id);
        key(one).cmp(&key(other)).then_with(|| one.sentence().cmp(&other.sentence()))
    });
    problems.dedup();
    problems
}

/// The documents of a file, each with what is disabled in it, and what is none.
struct Readable {
    documents: Vec<(Document, Vec<String>)>,
    broken: Vec<Broken>,
}

impl Readable {
    fn of(file: &File) -> Self {
        let (mut read, mut broken) = (Vec::new(), Vec::new());
        let mut end = 0;
        for document in documents(&file.text) {
            match document {
                Ok(document) => {
                    // The comments of the first document may stand above its `---`.
                    let content = document.range.start + document.tree.range.start;
                    let above = file.text.get(end..content.max(end)).unwrap_or_default();
                    let ids = disabled_by(above);
                    end = document.range.end;
                    read.push((document, ids));
                }
                Err(part) => {
                    end = part.range.end;
                    broken.push(part);
                }
            }
        }
        Self { documents: read, broken }
    }
}

/// What comments disable.
fn disabled_by(comments: &str) -> Vec<String> {
    let lists = comments.lines().filter_map(|line| line.trim().strip_prefix('#')?.trim().strip_prefix(DISABLE));
    lists.flat_map(|list| list.split(',')).map(|id| id.trim().to_owned()).collect()
}

/// A part of a file that cannot be read. Of a folder only what names our groups counts.
fn unreadable(index: usize, path: &str, file: &File, broken: &Broken) -> Option<Problem> {
    let text = file.text.get(broken.range.clone()).unwrap_or_default();
    if file.named == Named::ByFolder && !text.contains(crate::api::GROUP) {
        return None;
    }
    let is_chart = ["{{ .", "{{- ", "{{ include", "{{ $", "{{.", "{{ if", "{{ with", "{{ range"]
        .iter()
        .any(|action| text.contains(action));
    let (level, message) = if is_chart {
        let message = "this is a template of a Helm chart, not YAML; check what `helm template` prints: `helm template . | external-secrets lint -`";
        (Level::Note, message.to_owned())
    } else {
        (Level::Error, format!("this is not valid YAML: {}", broken.why.problem))
    };
    let mark = broken.why.mark;
    let (path, field, edits) = (path.to_owned(), String::new(), Vec::new());
    Some(Problem { id: Id::Syntax, level, file: index, path, mark, field, message, edits })
}

fn no_object(object: &Object<'_>) -> Option<Problem> {
    let message = match (object.kind().is_empty(), object.text("/apiVersion").is_empty()) {
        (false, false) => return None,
        (true, true) => "this is not an object of Kubernetes: it has no apiVersion and no kind",
        (true, false) => "it has no kind",
        (false, true) => "it has no apiVersion",
    };
    object.problem(Finding::error(Id::Syntax, "", message))
}

/// What is found of an object of ours by itself.
fn of_object(object: &Object<'_>) -> Vec<Finding> {
    let (group, kind) = (object.group(), object.kind());
    let Some(served) = kinds::served(group, kind) else {
        if kind.is_empty() {
            return Vec::new();
        }
        let message =
            format!("the kind {kind} is not served by this controller; the External Secrets Operator may serve it");
        return vec![Finding::warning(Id::Unsupported, "kind", message)];
    };
    let mut findings = Vec::new();
    let version = object.text("/apiVersion");
    if served.old_versions.iter().any(|old| old == version) {
        let (_, old) = version.split_once('/').unwrap_or_default();
        let message = format!("ESO 2.9.0 does not serve {old} by default; write {}", served.api_version);
        // Both have the same fields.
        let fix = (old == "v1beta1").then_some(Fix::Replace("/v1beta1", "/v1"));
        let finding = Finding::warning(Id::OldVersion, "apiVersion", message);
        findings.push(match fix {
            Some(fix) => finding.with_fix(fix),
            None => finding,
        });
    } else if version != served.api_version {
        // Its fields are others.
        let message = format!("this version is not served, and has other fields; write {}", served.api_version);
        return vec![Finding::error(Id::OldVersion, "apiVersion", message)];
    }
    if object.completeness == Completeness::Whole && object.name().is_empty() {
        findings.push(Finding::error(Id::Type, "metadata", "has no name, which it must have"));
    }
    findings.extend(fields::check(object.value, &served.schema, object.completeness));
    // What does not fit the schema cannot be looked at further, and a field that is misspelled is missing elsewhere.
    let fits = !findings.iter().any(|finding| [Id::Type, Id::UnknownField].contains(&finding.id));
    if fits && object.completeness == Completeness::Whole {
        findings.extend(specs::check(object));
    }
    findings
}
