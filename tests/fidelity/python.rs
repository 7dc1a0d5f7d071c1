//! A virtual environment with pinned packages, made once and kept outside of the sources.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// The interpreter of an environment in which the pinned packages are installed.
pub(crate) fn interpreter(requirements: &Path) -> Result<PathBuf, String> {
    let pinned = fs::read(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let digest = Sha256::digest(&pinned).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let cache = cache_folder()?;
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let folder = cache.join(format!("python-{digest}"));
    let python = folder.join("bin/python");

    // Another run may be making it just now.
    let lock = cache.join(format!("python-{digest}.lock"));
    let lock = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(|error| error.to_string())?;
    let complete = folder.join("complete");
    if !complete.exists() {
        run(Command::new(system_python()).args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"])
            .arg(requirements))?;
        File::create(&complete).map_err(|error| error.to_string())?;
    }
    drop(lock);
    Ok(python)
}

fn system_python() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn cache_folder() -> Result<PathBuf, String> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set; set one of them")?;
    Ok(base.join("external-secrets"))
}

/// Runs a command; its output is the error where it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let described = format!("{command:?}");
    let output = command.output().map_err(|error| {
        format!("{described}: {error}; install Python 3.9 or later with its venv module, or name it in PYTHON")
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{described} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
