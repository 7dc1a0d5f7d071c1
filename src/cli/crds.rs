//! `external-secrets crds`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::api::crd;

/// Why the CRDs could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// They cannot be serialized as YAML.
    #[error("the CRDs cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
    #[error("the CRDs cannot be printed: {0}")]
    Output(#[source] std::io::Error),
    /// A file cannot be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
}

/// Prints the CRDs as YAML documents, for `kubectl apply -f -`.
#[derive(Args, Debug)]
pub(super) struct CrdsArguments {
    /// Write one file per CRD into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn execute(arguments: &CrdsArguments) -> Result<(), Error> {
    let definitions = crd::all();
    let Some(folder) = &arguments.folder else {
        let yaml = crd::to_yaml(&definitions)?;
        return std::io::stdout().write_all(yaml.as_bytes()).map_err(Error::Output);
    };
    for definition in &definitions {
        let path = folder.join(crd::file_name(definition));
        let yaml = crd::to_yaml(std::slice::from_ref(definition))?;
        std::fs::write(&path, yaml).map_err(|source| Error::File { path, source })?;
    }
    Ok(())
}
