//! Runs the Go programs.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the Go module.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What the program in the folder `package` prints; `None`, with a message, where Go is not
/// installed.
pub(crate) fn run(package: &str, arguments: &[&str], input: Option<&str>) -> Option<String> {
    let input = match input {
        Some(file) => Stdio::from(File::open(folder().join(file)).expect("the input file")),
        None => Stdio::null(),
    };
    let output = Command::new("go")
        .arg("run")
        .arg(format!("./{package}"))
        .args(arguments)
        .current_dir(folder())
        .env("TZ", "UTC")
        .stdin(input)
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("not compared with Go, which is not installed");
            return None;
        }
        other => other.expect("go can be started"),
    };
    assert!(output.status.success(), "go run ./{package}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("the program prints UTF-8"))
}
