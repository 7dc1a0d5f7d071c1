//! Compares templates, their functions and YAML with Go and its libraries.
//!
//! Each part has a table of cases and a golden file, which is the output of the Go program next to it. If Go is
//! installed, the golden files are compared with the programs' current output, and made-up cases are compared, too.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod eso;
mod eso_made;
mod functions;
mod template;

const GO: go_oracle::Module = go_oracle::Module::of(env!("CARGO_MANIFEST_DIR"));
