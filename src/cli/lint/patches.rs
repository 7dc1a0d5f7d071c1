//! Which files are patches of kustomize: what they lack is in another file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::inputs::files::File;
use crate::cli::source::documents::documents;

/// What kustomize looks for in a folder.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// How many folders above a file are looked into.
const ABOVE: usize = 4;

/// The files that a kustomization near one of these names as a patch.
pub(super) fn of(files: &[File]) -> HashSet<PathBuf> {
    let mut folders = HashSet::new();
    for path in files.iter().filter_map(|file| file.path.as_deref()) {
        let Ok(path) = path.canonicalize() else { continue };
        folders.extend(path.ancestors().skip(1).take(ABOVE).map(Path::to_owned));
    }
    folders.iter().flat_map(|folder| in_folder(folder)).collect()
}

/// Whether a file is one of them.
pub(super) fn is_one(file: &File, patches: &HashSet<PathBuf>) -> bool {
    let path = file.path.as_ref().and_then(|path| path.canonicalize().ok());
    path.is_some_and(|path| patches.contains(&path))
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Some(text) = NAMES.iter().find_map(|name| std::fs::read_to_string(folder.join(name)).ok()) else {
        return Vec::new();
    };
    let documents = documents(&text);
    let named = documents.iter().flatten().flat_map(|document| named_by(&document.value));
    named.filter_map(|path| folder.join(path).canonicalize().ok()).collect()
}

fn named_by(kustomization: &Value) -> Vec<&str> {
    let list = |field: &str| kustomization[field].as_array().into_iter().flatten();
    let by_path = list("patches").chain(list("patchesJson6902")).filter_map(|patch| patch["path"].as_str());
    by_path.chain(list("patchesStrategicMerge").filter_map(Value::as_str)).collect()
}
