//! Holds our parts that follow a Go library against what that library does.
//!
//! Each part has a table of cases and a golden file, which the Go program beside them printed. Where
//! Go is installed, the golden files are also checked to be what the program prints today, and made
//! up cases are compared.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod eso;
mod eso_made;
mod functions;
mod gjson;
mod go;
mod re2;
mod template;
