//! The program `external-secrets`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    external_secrets::cli::run()
}
