//! The only table of what is reported about each failure of a PushSecret. `docs/conditions.md` is generated from it.

use super::error::{Error, Problem};
use crate::provider::error::Retry;

/// What is reported about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The beginning of the message.
    pub(crate) lead: &'static str,
    /// One word for logs and metrics.
    pub(crate) cause: &'static str,
    /// Whether it is retried without a change of the manifest.
    pub(crate) retry: Retry,
    /// The remedy.
    pub(crate) remedy: &'static str,
}

listed! {
    /// The kinds of failures, in the order of a pass.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Failure {
        /// A field cannot be read.
        InvalidSpec,
        /// Fields contradict each other, or ask for something unsupported.
        Rejected,
        /// The Secret does not exist.
        Source,
        /// The API server refused, or did not answer.
        ApiServer,
        /// The generator failed.
        Generator,
        /// The template failed.
        Template,
        /// A store of `dataTo` is not named.
        DataToStore,
        /// A reference to a store has neither a name nor a selector.
        StoreUnnamed,
        /// A store cannot be used.
        Store,
        /// There is no store to push to.
        NoStore,
        /// The entries cannot be determined.
        Expand,
        /// The provider failed, or refused.
        Provider,
        /// Somebody else owns the object.
        Refused,
        /// Two PushSecrets want different things of one object.
        Conflict,
        /// It passes within seconds.
        Waiting,
        /// Objects could not be deleted.
        CleanUp,
        /// A bug in this program.
        Panicked,
    }
}

impl Failure {
    /// The kind of failure of an error.
    #[must_use]
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidSpec(_) => Self::InvalidSpec,
            Error::Rejected(_) => Self::Rejected,
            Error::Source(_) => Self::Source,
            Error::SourceUnreadable { .. } | Error::Intent(_) | Error::Gone | Error::Finalizer(_) => Self::ApiServer,
            Error::Generator(_) => Self::Generator,
            Error::Template(_) => Self::Template,
            Error::DataToStore(_) => Self::DataToStore,
            Error::StoreUnnamed => Self::StoreUnnamed,
            Error::Store { .. } => Self::Store,
            Error::NoStore => Self::NoStore,
            Error::Expand { .. } => Self::Expand,
            Error::CleanUp(_) | Error::SourceCleanUp(_) => Self::CleanUp,
            Error::Entries(failures) => {
                failures.all.first().map_or(Self::Provider, |failure| Self::of_problem(&failure.problem))
            }
            Error::Panicked(_) => Self::Panicked,
        }
    }

    /// The kind of failure of what is wrong with one object.
    #[must_use]
    pub(super) const fn of_problem(problem: &Problem) -> Self {
        match problem {
            Problem::Store(_) => Self::Store,
            Problem::Expand(_) => Self::Expand,
            Problem::Refused(_) => Self::Refused,
            Problem::Conflict(_) | Problem::ConflictElsewhere => Self::Conflict,
            Problem::Busy | Problem::Recovering | Problem::NotYetKnown => Self::Waiting,
            Problem::Provider(_) => Self::Provider,
        }
    }

    /// The table.
    #[must_use]
    pub(crate) const fn report(self) -> Report {
        use Retry::{Backoff, OnChange};
        const INVALID: &str = "the PushSecret is invalid";
        const SOURCE: &str = "could not get source secret";
        const SET: &str = "set secret failed";
        let (lead, cause, retry, remedy) = match self {
            Self::InvalidSpec => (INVALID, "InvalidSpec", OnChange, "Correct the field that the message names."),
            Self::Rejected => (INVALID, "Rejected", OnChange, "Correct the fields that the message names."),
            Self::Source => (SOURCE, "Source", Backoff, "Create the Secret, or correct `spec.selector.secret`."),
            Self::ApiServer => (
                "the API server's words",
                "ApiServer",
                Backoff,
                "See the message: a missing permission, or the API server itself.",
            ),
            Self::Generator => (
                SOURCE,
                "Generator",
                Backoff,
                "Create or correct the generator, or `spec.selector.generatorRef`, as the message says.",
            ),
            Self::Template => {
                ("could not apply template", "Template", Backoff, "Correct the template where the message says.")
            }
            Self::DataToStore => ("dataTo[", "DataToStore", OnChange, "Also name the store in `spec.secretStoreRefs`."),
            Self::StoreUnnamed => (
                "refStore Name must be provided",
                "StoreUnnamed",
                OnChange,
                "Set `name` or `labelSelector` in each of `spec.secretStoreRefs`.",
            ),
            Self::Store => ("could not get", "Store", Backoff, "Create or repair the store, or correct the reference."),
            Self::NoStore => {
                ("no store can be used", "NoStore", Backoff, "Create a store, or correct `spec.secretStoreRefs`.")
            }
            Self::Expand => (SET, "Expand", Backoff, "Correct `spec.data` or `spec.dataTo` as the message says."),
            Self::Provider => (SET, "", Backoff, "See the causes of providers below."),
            Self::Refused => (
                SET,
                "Refused",
                Backoff,
                "Adopt or enable the object, or use another `remoteKey`, as the message says.",
            ),
            Self::Conflict => (SET, "Conflict", Backoff, "Give one of the two another `remoteKey`."),
            Self::Waiting => (SET, "Waiting", Backoff, "Nothing: the controller retries after some seconds."),
            Self::CleanUp => (
                "Failed to Delete Secrets from Provider",
                "CleanUp",
                Backoff,
                "Fix what the message says, or set `spec.deletionPolicy` to `None` to leave the objects.",
            ),
            Self::Panicked => (
                "the PushSecret cannot be pushed",
                "Panic",
                Backoff,
                "Report the message with the manifest; it is a bug. Other PushSecrets are not affected.",
            ),
        };
        Report { lead, cause, retry, remedy }
    }
}

/// The cause of an error in one word: the provider's, if there is one.
#[must_use]
pub(crate) fn cause(error: &Error) -> &'static str {
    error.provider_errors().next().map_or(Failure::of(error).report().cause, |error| error.cause)
}
