//! Runs the Go programs.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many made-up cases are compared, unless `FUZZ_COUNT` says otherwise.
const MADE_UP: &str = "2000";
/// Which, unless `FUZZ_SEED` says otherwise: `make test` has the same each time.
const SEED: &str = "1";

/// The folder of the Go module.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What the program in the folder `package` prints; `None`, with a message, where Go is not
/// installed. Its input is a file of the module.
pub(crate) fn run(package: &str, arguments: &[&str], input: Option<&str>) -> Option<String> {
    let input = match input {
        Some(file) => Stdio::from(File::open(folder().join(file)).expect("the input file")),
        None => Stdio::null(),
    };
    let program = start(package, arguments, input)?;
    Some(finish(package, program))
}

/// Cases that the program in the folder `package` makes up, each a line with its result; `None` where Go
/// is not installed.
pub(crate) fn made_up(package: &str, flags: &[&str]) -> Option<String> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (count, seed) = (setting("FUZZ_COUNT", MADE_UP), setting("FUZZ_SEED", SEED));
    let printed = run(package, &[flags, &["-random", &count, "-seed", &seed]].concat(), None)?;
    assert_eq!(printed.lines().count().to_string(), count);
    // Shown where a case differs.
    eprintln!("made up with FUZZ_COUNT={count} FUZZ_SEED={seed}");
    Some(printed)
}

/// As [`run`], with this input.
pub(crate) fn run_on(package: &str, arguments: &[&str], input: Vec<u8>) -> Option<String> {
    let mut program = start(package, arguments, Stdio::piped())?;
    let mut stdin = program.stdin.take().expect("a pipe");
    // The program writes while it reads.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = finish(package, program);
    writer.join().expect("no panic").expect("the program reads its input");
    Some(output)
}

fn start(package: &str, arguments: &[&str], input: Stdio) -> Option<Child> {
    let program = Command::new("go")
        .arg("run")
        .arg(format!("./{package}"))
        .args(arguments)
        .current_dir(folder())
        .env("TZ", "UTC")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match program {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("not compared with Go, which is not installed");
            None
        }
        other => Some(other.expect("go can be started")),
    }
}

fn finish(package: &str, program: Child) -> String {
    let output = program.wait_with_output().expect("the program's output");
    assert!(output.status.success(), "go run ./{package}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}
