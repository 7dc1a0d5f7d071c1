#![doc = include_str!("../README.md")]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "only tests call it, which fail by a panic and show what was printed"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The default of `FUZZ_COUNT`: how many made-up cases are compared.
const MADE_UP: &str = "2000";
/// The default of `FUZZ_SEED`, so that `make test` compares the same cases each time.
const SEED: &str = "1";

/// The script that finds and runs Go, or says where to get it.
const GO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/go");

/// The Go module of a crate: `tests/conformance`.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    of: &'static str,
}

impl Module {
    /// For the crate in this folder: `env!("CARGO_MANIFEST_DIR")`.
    #[must_use]
    pub const fn of(manifest_folder: &'static str) -> Self {
        Self { of: manifest_folder }
    }

    /// The module's folder.
    #[must_use]
    pub fn folder(self) -> PathBuf {
        Path::new(self.of).join("tests/conformance")
    }

    /// The output of the program in the folder `package`. `input` is a file of the module.
    #[must_use]
    pub fn run(self, package: &str, arguments: &[&str], input: Option<&str>) -> String {
        let input = match input {
            Some(file) => Stdio::from(File::open(self.folder().join(file)).expect("the input file")),
            None => Stdio::null(),
        };
        finish(package, self.start(package, arguments, input))
    }

    /// Cases that the program in the folder `package` makes up, one per line with its result.
    #[must_use]
    pub fn made_up(self, package: &str, flags: &[&str]) -> String {
        let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let (count, seed) = (setting("FUZZ_COUNT", MADE_UP), setting("FUZZ_SEED", SEED));
        let printed = self.run(package, &[flags, &["-random", &count, "-seed", &seed]].concat(), None);
        assert_eq!(printed.lines().count().to_string(), count);
        // Shown if a case differs.
        eprintln!("made up with FUZZ_COUNT={count} FUZZ_SEED={seed}");
        printed
    }

    /// Like [`Module::run`], with the input itself.
    #[must_use]
    pub fn run_on(self, package: &str, arguments: &[&str], input: Vec<u8>) -> String {
        let mut program = self.start(package, arguments, Stdio::piped());
        let mut stdin = program.stdin.take().expect("a pipe");
        // The program writes while it reads.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = finish(package, program);
        writer.join().expect("no panic").expect("the program reads its input");
        output
    }

    fn start(self, package: &str, arguments: &[&str], input: Stdio) -> Child {
        Command::new(GO)
            .arg("run")
            .arg(format!("./{package}"))
            .args(arguments)
            .current_dir(self.folder())
            .env("TZ", "UTC")
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tests/go can be started")
    }
}

fn finish(package: &str, program: Child) -> String {
    let output = program.wait_with_output().expect("the program's output");
    assert!(output.status.success(), "go run ./{package}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}
