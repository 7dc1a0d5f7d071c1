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

/// The causes of a provider, by its name in a store.
#[must_use]
pub fn of_providers() -> Vec<(&'static str, Vec<CauseDescription>)> {
    vec![("azurekv", super::azure::causes()), ("fake", super::fake::CAUSES.to_vec()), ("any", ANY.to_vec())]
}

/// Causes that do not belong to a provider.
const ANY: [CauseDescription; 7] = [
    CauseDescription {
        label: super::registry::NOT_SERVED,
        class: Class::InvalidStore,
        store: StoreEffect::NotReady,
        meaning: "The store is of a provider that is not served here.",
        remedy: "Leave it to the controller that serves it by `spec.controller`.",
    },
    CauseDescription {
        label: "ProviderMissing",
        class: Class::InvalidStore,
        store: StoreEffect::NotReady,
        meaning: "The store names no provider.",
        remedy: "Set `spec.provider.azurekv`.",
    },
    CauseDescription {
        label: "ProviderAmbiguous",
        class: Class::InvalidStore,
        store: StoreEffect::NotReady,
        meaning: "The store names more than one provider.",
        remedy: "Keep one of them.",
    },
    CauseDescription {
        label: "InvalidSpec",
        class: Class::InvalidStore,
        store: StoreEffect::NotReady,
        meaning: "A field of the store cannot be read.",
        remedy: "Correct the field that the message names.",
    },
    CauseDescription {
        label: "Panic",
        class: Class::Unreachable,
        store: StoreEffect::NotReady,
        meaning: "The controller failed while it validated the store, which is a bug.",
        remedy: "Report the message with the manifest.",
    },
    CauseDescription {
        label: super::read_budget::OVER_BUDGET,
        class: Class::OverBudget,
        store: StoreEffect::None,
        meaning: "One ExternalSecret reads more than it may.",
        remedy: "Make several ExternalSecrets, or let `dataFrom.find` match fewer.",
    },
    CauseDescription {
        label: super::read_budget::CROWDED,
        class: Class::Throttled,
        store: StoreEffect::None,
        meaning: "The ExternalSecrets that are synced now hold as much as they may together.",
        remedy: "Nothing: it is tried again. If it lasts, let large ExternalSecrets read less.",
    },
];
