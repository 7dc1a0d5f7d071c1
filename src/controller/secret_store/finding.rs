//! From the validation of a store to the report on it. `docs/conditions.md` is generated from the table.

use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::STALLED;
use crate::controller::core::conditions::Statement;
use crate::provider::error::Retry;
use crate::provider::{Check, Class, ProviderError, Validation, Verdict};
use crate::runtime::panics::Panicked;

/// Why a store is not valid.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The object does not fit the schema, or contradicts itself.
    #[error("{0}")]
    Invalid(String),
    /// No client can be created for it.
    #[error("{0}")]
    Client(ProviderError),
    /// A bug of ours.
    #[error(transparent)]
    Panicked(Panicked),
}

/// The result of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreState {
    /// It can be used.
    Valid,
    /// An outage keeps it from being validated.
    Unknown,
    /// No client can be created for it.
    NoClient,
    /// Its client cannot read.
    Invalid,
}

/// How a store's state is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreReport {
    /// The status of the condition `Ready`.
    pub(crate) status: ConditionStatus,
    /// The reason of that condition and of the event.
    pub(crate) reason: &'static str,
    /// The first words of its message, which are ESO's.
    pub(crate) lead: &'static str,
    /// What a person can do about it.
    pub(crate) remedy: &'static str,
}

impl StoreState {
    pub(crate) const ALL: [Self; 4] = [Self::Valid, Self::Unknown, Self::NoClient, Self::Invalid];

    /// The table.
    #[must_use]
    pub(crate) const fn report(self) -> StoreReport {
        const INVALID: &str = "InvalidProviderConfig";
        let (status, reason, lead, remedy) = match self {
            Self::Valid => (ConditionStatus::True, "Valid", "store validated", "Nothing."),
            Self::Unknown => (
                ConditionStatus::True,
                "ValidationUnknown",
                "could not determine validation status",
                "Nothing yet: the controller tries again, and the store stays usable. If it lasts, see the cause.",
            ),
            Self::NoClient => {
                (ConditionStatus::False, INVALID, "unable to create client", "Fix the store as the message says.")
            }
            Self::Invalid => (
                ConditionStatus::False,
                INVALID,
                "unable to validate store",
                "Fix what the message names, in Azure or in the store.",
            ),
        };
        StoreReport { status, reason, lead, remedy }
    }
}

/// A condition of a store besides `Ready`, and its message when it is True.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreCheck {
    pub(crate) type_: &'static str,
    /// The message when it is True.
    pub(crate) passed: &'static str,
}

/// The reason of a condition that is True.
pub(crate) const PASSED: &str = "Succeeded";
/// The reason of a condition that could not be determined.
pub(crate) const NOT_KNOWN: &str = "NotKnown";

/// The conditions of a store besides `Ready`.
pub(crate) const CHECKS: [StoreCheck; 3] = [
    StoreCheck { type_: "Authenticated", passed: "the identity got a token" },
    StoreCheck { type_: "Reachable", passed: "the vault answered" },
    StoreCheck { type_: "Authorized", passed: "the vault let the identity read" },
];

/// What a validation means for the conditions, the event and the retry.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) state: StoreState,
    /// One word for metrics; empty if the store is valid.
    pub(super) cause: &'static str,
    pub(super) message: String,
    pub(super) checks: [Statement; 3],
    /// Whether it may recover by itself.
    pub(super) retry: Retry,
}

impl Finding {
    pub(super) fn of(validation: &Result<Validation, Error>) -> Self {
        match validation {
            Ok(validation) => Self::of_validation(validation),
            Err(Error::Client(error)) if matches!(error.class, Class::Unreachable | Class::Throttled) => {
                // The API server could not be asked for the store's identity, which says nothing about the store.
                let unknown = || Check::Unknown(error.to_string());
                Self::of_validation(&Validation {
                    verdict: Verdict::Unknown(error.clone()),
                    authenticated: unknown(),
                    reachable: unknown(),
                    authorized: unknown(),
                })
            }
            Err(error) => Self::without_client(error),
        }
    }

    fn without_client(error: &Error) -> Self {
        let unknown = || Check::Unknown("the store's configuration must be fixed first".to_owned());
        let authenticated = match error {
            Error::Client(error) if error.class == Class::Unauthenticated => Check::Failed(error.clone()),
            Error::Client(_) | Error::Invalid(_) | Error::Panicked(_) => unknown(),
        };
        let (cause, retry) = match error {
            Error::Client(error) => (error.cause, error.class.retry()),
            Error::Invalid(_) => ("InvalidSpec", Retry::OnChange),
            Error::Panicked(_) => ("Panic", Retry::Backoff),
        };
        let message = message(StoreState::NoClient, error);
        Self {
            state: StoreState::NoClient,
            cause,
            message,
            checks: statements(&[authenticated, unknown(), unknown()]),
            retry,
        }
    }

    fn of_validation(validation: &Validation) -> Self {
        let Validation { verdict, authenticated, reachable, authorized } = validation;
        let checks = statements(&[authenticated.clone(), reachable.clone(), authorized.clone()]);
        let (state, error) = match verdict {
            Verdict::Valid => {
                let message = StoreState::Valid.report().lead.to_owned();
                return Self { state: StoreState::Valid, cause: "", message, checks, retry: Retry::Backoff };
            }
            Verdict::Invalid(error) => (StoreState::Invalid, error),
            Verdict::Unknown(error) => (StoreState::Unknown, error),
        };
        Self { state, cause: error.cause, message: message(state, error), checks, retry: error.class.retry() }
    }

    /// The condition `Stalled`, if no retry can help.
    pub(super) fn stalled(&self) -> Option<Statement> {
        let is_stalled = self.report().status == ConditionStatus::False && self.retry == Retry::OnChange;
        is_stalled.then(|| Statement {
            type_: STALLED,
            status: ConditionStatus::True,
            reason: self.cause.to_owned(),
            message: self.message.clone(),
        })
    }

    /// How the state is reported.
    pub(super) const fn report(&self) -> StoreReport {
        self.state.report()
    }
}

fn message(state: StoreState, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", state.report().lead)
}

fn statements(checks: &[Check; 3]) -> [Statement; 3] {
    std::array::from_fn(|index| statement(CHECKS[index], &checks[index]))
}

fn statement(StoreCheck { type_, passed }: StoreCheck, check: &Check) -> Statement {
    let (status, reason, message) = match check {
        Check::Passed => (ConditionStatus::True, PASSED, passed.to_owned()),
        Check::Failed(error) => (ConditionStatus::False, error.cause, error.to_string()),
        Check::Unknown(why) => (ConditionStatus::Unknown, NOT_KNOWN, why.clone()),
    };
    Statement { type_, status, reason: reason.to_owned(), message }
}
