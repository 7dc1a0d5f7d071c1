//! Holds templates, their functions and YAML against what Go and its libraries make of them.
//!
//! Each part has a table of cases and a golden file, which the Go program beside it printed. Where Go is installed, the golden files are
//! also checked to be what the programs print today, and made-up cases are compared.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod eso;
mod eso_made;
mod functions;
mod template;

const GO: go_oracle::Module = go_oracle::Module::of(env!("CARGO_MANIFEST_DIR"));
