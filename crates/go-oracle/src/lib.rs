//! Runs the Go programs.

use std::fs::File;
use std::io::Write as _;
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

/// What the program in the folder `package` prints. Its input is a file of the module.
pub(crate) fn run(package: &str, arguments: &[&str], input: Option<&str>) -> String {
    let input = match input {
        Some(file) => Stdio::from(File::open(folder().join(file)).expect("the input file")),
        None => Stdio::null(),
    };
    finish(package, start(package, arguments, input))
}

/// Cases that the program in the folder `package` makes up, each a line with its result.
pub(crate) fn made_up(package: &str, flags: &[&str]) -> String {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (count, seed) = (setting("FUZZ_COUNT", MADE_UP), setting("FUZZ_SEED", SEED));
    let printed = run(package, &[flags, &["-random", &count, "-seed", &seed]].concat(), None);
    assert_eq!(printed.lines().count().to_string(), count);
    // Shown where a case differs.
    eprintln!("made up with FUZZ_COUNT={count} FUZZ_SEED={seed}");
    printed
}

/// As [`run`], with this input.
pub(crate) fn run_on(package: &str, arguments: &[&str], input: Vec<u8>) -> String {
    let mut program = start(package, arguments, Stdio::piped());
    let mut stdin = program.stdin.take().expect("a pipe");
    // The program writes while it reads.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = finish(package, program);
    writer.join().expect("no panic").expect("the program reads its input");
    output
}

/// `tests/go` finds Go, and says where to get it from where there is none.
fn start(package: &str, arguments: &[&str], input: Stdio) -> Child {
    Command::new(folder().join("../go"))
        .arg("run")
        .arg(format!("./{package}"))
        .args(arguments)
        .current_dir(folder())
        .env("TZ", "UTC")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/go can be started")
}

fn finish(package: &str, program: Child) -> String {
    let output = program.wait_with_output().expect("the program's output");
    assert!(output.status.success(), "go run ./{package}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}
