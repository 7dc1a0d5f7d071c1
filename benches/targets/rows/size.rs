//! The program itself.

use futures::FutureExt;
use futures::future::ready;

use super::Row;
use crate::controller::CommandLine;
use crate::error::Error;
use crate::report::{Beside, Figure};

pub(super) fn rows() -> Vec<Row> {
    vec![Row { name: "size", about: "the program's file", measure: |command| ready(size(command)).boxed_local() }]
}

fn size(command: &CommandLine) -> Result<Vec<Figure>, Error> {
    let bytes = std::fs::metadata(&command.program)?.len();
    Ok(vec![Figure::size("program size", bytes, Beside { shipped: "287 MB", tuned: "287 MB", target: "<= 25 MB" })])
}
