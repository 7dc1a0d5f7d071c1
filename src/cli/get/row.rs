//! What `get` shows of an object, of whatever kind.

use serde_json::Value;

use crate::cli::person::names::Named;
use crate::controller::store_access::key::StoreKey;

/// What `get` shows of an object.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) named: Named,
    /// The stores that it uses; a store itself.
    pub(super) stores: Vec<StoreKey>,
    /// Whether it is Ready in its current form.
    pub(super) is_ready: bool,
    /// Whether it is overdue.
    pub(super) is_stale: bool,
    /// Why it is not Ready, in one word.
    pub(super) cause: Option<String>,
    pub(super) cells: Vec<Cell>,
    /// For programs to read.
    pub(super) document: Value,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) column: Column,
    pub(super) text: String,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// What stands before a cell outside of a table.
    pub(super) before: &'static str,
    /// Whether only `-o wide` has it.
    pub(super) is_wide: bool,
}

impl Column {
    pub(super) const STORE: Self = Self::new("STORE", "");
    pub(super) const TARGET: Self = Self::wide("TARGET");
    pub(super) const OBJECTS: Self = Self::new("OBJECTS", "objects ");
    pub(super) const NAMESPACES: Self = Self::new("NAMESPACES", "namespaces ");
    pub(super) const READY: Self = Self::new("READY", "Ready=");
    pub(super) const SINCE: Self = Self::new("SINCE", "since ");
    pub(super) const SINCE_IF_WIDE: Self = Self::wide("SINCE");
    pub(super) const SYNCED: Self = Self::new("SYNCED", "synced ");
    pub(super) const PUSHED: Self = Self::new("PUSHED", "pushed ");
    pub(super) const NEXT: Self = Self::new("NEXT", "next ");
    pub(super) const CAUSE: Self = Self::wide("CAUSE");
    pub(super) const SAYS: Self = Self::new("SAYS", "");

    const fn new(heading: &'static str, before: &'static str) -> Self {
        Self { heading, before, is_wide: false }
    }

    const fn wide(heading: &'static str) -> Self {
        Self { heading, before: "", is_wide: true }
    }

    pub(super) const fn cell(self, text: String) -> Cell {
        Cell { column: self, text }
    }
}
