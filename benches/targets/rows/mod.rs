//! What is measured.

mod first_sync;
mod many_namespaces;
mod neighbors;
mod outages;
mod people;
mod pushes;
mod size;
mod steady;
mod throttling;

use futures::future::LocalBoxFuture;

use crate::controller::CommandLine;
use crate::error::Error;
use crate::report::Figure;

/// A row: a situation, and the figures taken in it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: Measure,
}

/// Takes the figures of a row.
type Measure = for<'a> fn(&'a CommandLine) -> LocalBoxFuture<'a, Result<Vec<Figure>, Error>>;

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let rows = [
        first_sync::rows(),
        steady::rows(),
        many_namespaces::rows(),
        pushes::rows(),
        throttling::rows(),
        outages::rows(),
        neighbors::rows(),
        people::rows(),
        size::rows(),
    ];
    rows.into_iter().flatten().collect()
}
