//! The files that a command is given.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::text::text;

/// Why a file or folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read: {source}", path = path.display())]
pub(in crate::cli) struct Error {
    path: PathBuf,
    source: std::io::Error,
}

/// Whether a file must be a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Named {
    /// The file itself was named, so anything that is not a manifest is an error.
    Itself,
    /// The folder of the file was named, which may also contain other files.
    ByFolder,
}

/// A file and its text.
pub(in crate::cli) struct File {
    /// Where it is; none of the standard input.
    pub(in crate::cli) path: Option<PathBuf>,
    pub(in crate::cli) text: String,
    pub(in crate::cli) named: Named,
}

impl File {
    /// What it is called in messages.
    pub(in crate::cli) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| STANDARD_INPUT.to_owned(), |path| path.display().to_string())
    }
}

const STANDARD_INPUT: &str = "standard input";

/// Reads files, folders (their `.yaml`, `.yml` and `.json`, in the order of their names) and, for `-`, the standard input.
pub(in crate::cli) fn read(paths: &[PathBuf]) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            let text =
                read.and_then(|_| text(bytes)).map_err(|source| Error { path: STANDARD_INPUT.into(), source })?;
            files.push(File { path: None, text, named: Named::Itself });
        } else {
            add(path, Named::Itself, &mut files)?;
        }
    }
    Ok(files)
}

fn add(path: &Path, named: Named, files: &mut Vec<File>) -> Result<(), Error> {
    let failed = |source| Error { path: path.to_owned(), source };
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        let is_manifest = |path: &PathBuf| {
            path.is_dir() || path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
        };
        let mut manifests = paths.iter().filter(|path| is_manifest(path));
        return manifests.try_for_each(|path| add(path, Named::ByFolder, files));
    }
    let text = std::fs::read(path).and_then(text).map_err(failed)?;
    files.push(File { path: Some(path.to_owned()), text, named });
    Ok(())
}
