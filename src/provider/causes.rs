//! What the causes of failures mean, for the documentation.

use super::Class;

/// What a cause means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseDescription {
    /// Its name in metrics, logs and the conditions of stores.
    pub label: &'static str,
    /// What the controller does about it.
    pub class: Class,
    /// How it affects a store.
    pub store: StoreEffect,
    /// What happened.
    pub meaning: &'static str,
    /// The remedy.
    pub remedy: &'static str,
}

/// How a cause affects a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreEffect {
    /// It stays usable: the cause is temporary.
    StaysUsable,
    /// It stays usable: the cause concerns one object, not the store.
    None,
    /// It is not Ready until somebody changes something.
    NotReady,
}
