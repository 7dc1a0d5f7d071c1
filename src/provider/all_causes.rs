//! The causes of all providers, for the documentation.

use super::causes::{CauseDescription, StoreEffect};
use super::error::Class;
use super::{azure, fake, read_budget, registry};

/// The causes of each provider, by the provider's name in a store.
#[must_use]
pub fn of_providers() -> Vec<(&'static str, Vec<CauseDescription>)> {
    vec![("azurekv", azure::causes()), ("fake", fake::CAUSES.to_vec()), ("any", ANY.to_vec())]
}

/// Causes that are not specific to a provider.
const ANY: [CauseDescription; 7] = [
    CauseDescription {
        label: registry::NOT_SERVED,
        class: Class::InvalidStore,
        store: StoreEffect::NotReady,
        meaning: "The store's provider is not supported here.",
        remedy: "Leave it to a controller that supports it, with `spec.controller`.",
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
        label: read_budget::OVER_BUDGET,
        class: Class::OverBudget,
        store: StoreEffect::None,
        meaning: "One ExternalSecret reads more than it may.",
        remedy: "Make several ExternalSecrets, or let `dataFrom.find` match fewer.",
    },
    CauseDescription {
        label: read_budget::CROWDED,
        class: Class::Throttled,
        store: StoreEffect::None,
        meaning: "The ExternalSecrets and PushSecrets being synced have reached their shared memory limit.",
        remedy: "Nothing: the controller retries. If it lasts, let large ones read less.",
    },
];
