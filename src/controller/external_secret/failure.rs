//! The only table from a failure of an ExternalSecret to what is reported. `docs/conditions.md` is generated from it.

use super::error::{Error, SpecFault};
use super::kind_discovery::KindError;
use super::subject::writes_another_kind;
use crate::api::v1::ExternalSecret;
use crate::controller::core::api_call::Verb;
use crate::controller::store_access::error::Error as StoreError;
use crate::provider::error::Retry;
use crate::sync::plan::Refusal;

/// How a failure is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The reason of the condition `Ready`.
    pub(crate) reason: &'static str,
    /// The first words of its message, which are ESO's.
    pub(crate) lead: &'static str,
    /// The reason of the event.
    pub(crate) event: &'static str,
    /// One word for logs and metrics.
    pub(crate) cause: &'static str,
    /// Whether it is retried without a change of the manifest.
    pub(crate) retry: Retry,
    /// What a person can do about it.
    pub(crate) remedy: &'static str,
}

impl Report {
    /// The report on a failure of an ExternalSecret.
    #[must_use]
    pub(crate) fn of(error: &Error, object: &ExternalSecret) -> Self {
        let report = Failure::of(error).report();
        let report = match error {
            // The provider's error says more than the kind of failure.
            Error::Store(StoreError::Client { error, .. }) | Error::Provider { error, .. } => {
                Self { cause: error.cause, retry: error.class.retry(), ..report }
            }
            Error::TemplatesCrowded(error) => Self { cause: error.cause, ..report },
            Error::Generator { error, .. } => Self { cause: error.cause(), retry: error.retry(), ..report },
            _ => report,
        };
        if writes_another_kind(object) { report.of_another_kind(error) } else { report }
    }

    /// The same for a target that is not a Secret, in ESO's words.
    fn of_another_kind(self, error: &Error) -> Self {
        let lead = match error {
            Error::Refused(Refusal::DeletionByPolicy { .. } | Refusal::NotOwned { .. })
            | Error::Object { verb: Verb::Delete, .. } => "could not delete resource",
            Error::Template(_) | Error::TemplatesCrowded(_) | Error::TemplateSource { .. } | Error::Refused(_) => {
                "could not apply template to manifest"
            }
            _ => self.lead,
        };
        let is_of_target = !matches!(
            error,
            Error::GenericTargetsOff
                | Error::Kind(KindError::ClusterScoped(_) | KindError::NotStored(_) | KindError::TooMany { .. })
        );
        Self { lead, reason: if is_of_target { "ResourceSyncedError" } else { self.reason }, ..self }
    }

    /// The message of the condition `Ready`, which is False.
    #[must_use]
    pub(crate) fn message(&self, error: &Error) -> String {
        format!("{}: {error}", self.lead)
    }
}

listed! {
    /// The kinds of failures, in the order of a sync's steps.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Failure {
        InvalidSpec,
        /// Fields contradict each other.
        Rejected,
        /// A field is not supported yet.
        Unsupported,
        /// No store is named.
        StoreNotNamed,
        /// The store does not exist.
        StoreNotFound,
        /// The store was never validated.
        StoreNotValidated,
        /// The store is not Ready.
        StoreNotReady,
        /// The store's conditions exclude the namespace.
        NamespaceExcluded,
        /// The provider failed. Its causes are listed separately.
        Provider,
        /// A generator returned no values.
        Generator,
        /// An object that the ExternalSecret depends on could not be read.
        Unreadable,
        /// The values cannot be combined.
        Data,
        /// A template failed.
        Template,
        /// A key that is not allowed in a Secret.
        InvalidKey,
        /// The target lacks a key that its type requires.
        Incomplete,
        /// The values exceed the size of a Secret.
        TooLarge,
        /// Another ExternalSecret owns the target.
        OwnedByExternalSecret,
        /// Another controller owns the target.
        OwnedByOther,
        /// The target is of a type reserved for the cluster itself.
        OfTheSystem,
        /// The target is immutable.
        Immutable,
        /// The target has another type.
        OtherType,
        /// The policies contradict each other.
        DeletionByPolicy,
        /// The target must not be deleted, because this ExternalSecret does not own it.
        NotOwned,
        /// The API server refused or did not answer.
        ApiServer,
        /// Another writer was faster at every attempt.
        Contended,
        /// Secrets of earlier target names could not be deleted.
        Stale,
        /// The target, or a finalizer, could not be deleted.
        NotDeleted,
        /// Targets other than Secrets are disabled.
        GenericTargetsOff,
        /// The target's kind is cluster-scoped.
        ClusterScoped,
        /// Objects of the target's kind cannot be read, written and deleted.
        NotStored,
        /// The target's kind is not served.
        NotServed,
        /// Too many kinds are in use already.
        TooManyKinds,
        /// A target that is not a Secret could not be read.
        TargetUnreadable,
        /// A value is not text, which the target requires.
        NotText,
        /// A template's target path does not exist in the target.
        NoPlace,
        /// A bug in this program.
        Panicked,
    }
}

const INVALID: &str = "the ExternalSecret is invalid";
const UNSUPPORTED: &str = "the ExternalSecret cannot be synced";
const TARGET: &str = "invalid generic target";
const GET: &str = "could not get target resource";
const DATA: &str = "could not get secret data from provider";
const UPDATE: &str = "could not update secret";
const DELETE: &str = "could not delete secret";
const ORPHANS: &str = "could not delete orphaned secrets";
const OWNERSHIP: &str = "failed to take ownership of target secret";
const OWNED: &str = "target is owned by another ExternalSecret";
const IMMUTABLE: &str = "could not update secret, target is immutable";

impl Failure {
    /// The kind of failure that an error is.
    #[must_use]
    pub(crate) const fn of(error: &Error) -> Self {
        match error {
            Error::InvalidSpec(_) => Self::InvalidSpec,
            Error::Spec(SpecFault::Rejected(_)) => Self::Rejected,
            Error::Spec(SpecFault::Unsupported(_)) => Self::Unsupported,
            Error::StoreNotNamed { .. } => Self::StoreNotNamed,
            Error::Store(StoreError::NotFound(_)) => Self::StoreNotFound,
            Error::Store(StoreError::NotValidated(_)) => Self::StoreNotValidated,
            Error::Store(StoreError::NotReady { .. }) => Self::StoreNotReady,
            Error::Store(StoreError::NamespaceExcluded { .. }) => Self::NamespaceExcluded,
            Error::Store(StoreError::Client { .. }) | Error::Provider { .. } => Self::Provider,
            Error::Store(StoreError::Unreadable { .. }) => Self::Unreadable,
            Error::Generator { .. } => Self::Generator,
            Error::Data(_) => Self::Data,
            Error::Template(_) | Error::TemplatesCrowded(_) => Self::Template,
            Error::Stale(_) => Self::Stale,
            Error::Refused(Refusal::OwnedByExternalSecret { .. }) => Self::OwnedByExternalSecret,
            Error::Refused(Refusal::OwnedByOther { .. }) => Self::OwnedByOther,
            Error::Refused(Refusal::OfTheSystem { .. }) => Self::OfTheSystem,
            Error::Refused(Refusal::Immutable { .. }) => Self::Immutable,
            Error::Refused(Refusal::OtherType { .. }) => Self::OtherType,
            Error::Refused(Refusal::DeletionByPolicy { .. }) => Self::DeletionByPolicy,
            Error::Refused(Refusal::NotOwned { .. }) => Self::NotOwned,
            Error::Refused(Refusal::Incomplete { .. }) => Self::Incomplete,
            Error::Refused(Refusal::TooLarge { .. }) => Self::TooLarge,
            Error::Refused(Refusal::InvalidKey { .. }) => Self::InvalidKey,
            Error::Refused(Refusal::NotText { .. }) => Self::NotText,
            Error::Refused(Refusal::NoPlace { .. } | Refusal::TooMuchFilling { .. }) => Self::NoPlace,
            Error::GenericTargetsOff => Self::GenericTargetsOff,
            Error::Kind(KindError::ClusterScoped(_)) => Self::ClusterScoped,
            Error::Kind(KindError::NotStored(_)) => Self::NotStored,
            Error::Kind(KindError::NotServed(_)) => Self::NotServed,
            Error::Kind(KindError::TooMany { .. }) => Self::TooManyKinds,
            Error::Kind(KindError::Api { .. } | KindError::NotListed { .. })
            | Error::Object { verb: Verb::Read, .. } => Self::TargetUnreadable,
            Error::Finalizer(_) | Error::Object { verb: Verb::Delete, .. } => Self::NotDeleted,
            Error::Object { .. } | Error::Api { .. } | Error::TemplateSource { .. } => Self::ApiServer,
            Error::Contended { .. } => Self::Contended,
            Error::Panicked(_) => Self::Panicked,
        }
    }

    /// The table.
    #[must_use]
    pub(crate) const fn report(self) -> Report {
        use Retry::{Backoff, OnChange};
        let (lead, cause, retry, remedy) = match self {
            Self::InvalidSpec => (INVALID, "InvalidSpec", OnChange, "Correct the field that the message names."),
            Self::Rejected => (INVALID, "Rejected", OnChange, "Correct the fields that the message names."),
            Self::Unsupported => {
                (UNSUPPORTED, "Unsupported", OnChange, "Remove the field, or leave the ExternalSecret to ESO.")
            }
            Self::StoreNotNamed => (DATA, "StoreNotNamed", OnChange, "Set the name of the store."),
            Self::StoreNotFound => (DATA, "StoreNotFound", Backoff, "Create the store, or correct the reference."),
            Self::StoreNotValidated => {
                (DATA, "StoreNotValidated", Backoff, "See the store's conditions, `spec.controller`, and the log.")
            }
            Self::StoreNotReady => (DATA, "StoreNotReady", Backoff, "Fix the store as its condition `Ready` says."),
            Self::NamespaceExcluded => (
                DATA,
                "NamespaceExcluded",
                Backoff,
                "Ask the store's owner to add the namespace to its `spec.conditions`.",
            ),
            Self::Provider => (DATA, "", Backoff, "See the causes of providers below."),
            Self::Generator => (
                DATA,
                "Generator",
                Backoff,
                "Create or correct the generator, or its reference, as the message says; for a registry, see the causes below.",
            ),
            Self::Unreadable => {
                (DATA, "ApiServer", Backoff, "See the API server's message: a right, or the API server itself.")
            }
            Self::Data => (
                DATA,
                "Data",
                Backoff,
                "Change the field that the message names to fit the value, or change the value.",
            ),
            Self::Template => {
                (UPDATE, "Template", Backoff, "Correct the template at the place that the message names.")
            }
            Self::Stale => {
                (ORPHANS, "ApiServer", Backoff, "Allow the controller to delete Secrets; see the API server's message.")
            }
            Self::OwnedByExternalSecret => (
                OWNED,
                "OwnedByExternalSecret",
                Backoff,
                "Give one of the two another `target.name`, or `creationPolicy: Merge`.",
            ),
            Self::OwnedByOther => {
                (OWNERSHIP, "OwnedByOther", Backoff, "Choose another `target.name`, or `creationPolicy: Merge`.")
            }
            Self::OfTheSystem => (OWNERSHIP, "OfTheSystem", Backoff, "Choose another `target.name`."),
            Self::Immutable => (IMMUTABLE, "Immutable", Backoff, "Delete the Secret, or choose another `target.name`."),
            Self::OtherType => (UPDATE, "OtherType", Backoff, "Delete the Secret, or correct `target.template.type`."),
            Self::DeletionByPolicy => {
                (DELETE, "DeletionByPolicy", OnChange, "`deletionPolicy: Delete` needs `creationPolicy: Owner`.")
            }
            Self::NotOwned => (DELETE, "NotOwned", Backoff, "Delete the Secret yourself if it is no longer needed."),
            Self::InvalidKey => (UPDATE, "InvalidKey", OnChange, "Change the key with `rewrite`, or in the template."),
            Self::Incomplete => (
                UPDATE,
                "Incomplete",
                Backoff,
                "Give the Secret the keys that its type requires, or correct `target.template.type`.",
            ),
            Self::TooLarge => {
                (UPDATE, "TooLarge", Backoff, "Divide the values among several ExternalSecrets, or take fewer.")
            }
            Self::ApiServer => {
                (UPDATE, "ApiServer", Backoff, "See the API server's message: a right, a quota, an admission webhook.")
            }
            Self::Contended => {
                (UPDATE, "Contended", Backoff, "Find the other writer in the Secret's `metadata.managedFields`.")
            }
            Self::NotDeleted => (DELETE, "ApiServer", Backoff, "See the API server's words."),
            Self::GenericTargetsOff => (
                TARGET,
                "GenericTargetsOff",
                OnChange,
                "Write a Secret, or start the controller with `--unsafe-allow-generic-targets`.",
            ),
            Self::ClusterScoped => (TARGET, "ClusterScoped", Backoff, "Name a namespaced kind."),
            Self::NotStored => (TARGET, "NotStored", Backoff, "Name a kind whose objects are stored."),
            Self::NotServed => (GET, "NotServed", Backoff, "Install its CRD, or correct `target.manifest`."),
            Self::TooManyKinds => {
                (TARGET, "TooManyKinds", Backoff, "Write a Secret, or a kind that the namespace already writes.")
            }
            Self::TargetUnreadable => (GET, "ApiServer", Backoff, "Grant the controller the rights for the kind."),
            Self::NotText => (UPDATE, "NotText", Backoff, "Encode the value in a template, for example with `b64enc`."),
            Self::Panicked => (
                UNSUPPORTED,
                "Panic",
                Backoff,
                "Report the message with the manifest; it is a bug. Other ExternalSecrets are not affected.",
            ),
            Self::NoPlace => (UPDATE, "NoPlace", Backoff, "Correct the path in `templateFrom.target`."),
        };
        Report { reason: "SecretSyncedError", lead, event: "UpdateFailed", cause, retry, remedy }
    }
}
