//! Finds out whether a store can be used by trying it: a token, then one read.

use std::sync::Arc;

use super::diagnose::{Cause, Diagnosis};
use super::object::ObjectId;
use super::vault::VaultClient;
use crate::provider::{Check, Class, Freshness, Priority, ReadOptions, Validation, Verdict};

/// A store's ExternalSecrets wait for its validation.
const PROBE: ReadOptions = ReadOptions { freshness: Freshness::Forced, priority: Priority::First };

/// Validates a store, including a read if `read` is set.
pub(super) async fn validate(client: &Arc<VaultClient>, read: bool) -> Validation {
    if let Err(refused) = client.authenticate().await {
        return without_token(refused);
    }
    if !read {
        let why = "the probe is switched off".to_owned();
        return Validation {
            verdict: Verdict::Valid,
            authenticated: Check::Passed,
            reachable: Check::Unknown(why.clone()),
            authorized: Check::Unknown(why),
        };
    }
    match client.object(&ObjectId::probe(), PROBE).await {
        Ok(_) => authorized(),
        Err(diagnosis) => after_read(diagnosis),
    }
}

/// A store whose references are resolved in the namespace of each ExternalSecret.
pub(super) fn referent() -> Validation {
    let why = "the store's identity depends on the namespace of the ExternalSecret that uses it";
    let unknown = || Check::Unknown(why.to_owned());
    Validation { verdict: Verdict::Valid, authenticated: unknown(), reachable: unknown(), authorized: unknown() }
}

fn authorized() -> Validation {
    Validation {
        verdict: Verdict::Valid,
        authenticated: Check::Passed,
        reachable: Check::Passed,
        authorized: Check::Passed,
    }
}

/// The verdict on a store that gets no token.
pub(super) fn without_token(diagnosis: Diagnosis) -> Validation {
    let unknown = || Check::Unknown("the vault was not asked, because there is no token".to_owned());
    let authenticated = if diagnosis.cause.is_outage() {
        Check::Unknown(diagnosis.to_string())
    } else {
        Check::Failed(diagnosis.clone().into())
    };
    Validation { verdict: verdict(diagnosis), authenticated, reachable: unknown(), authorized: unknown() }
}

/// What an answer other than a value means for the store.
fn after_read(diagnosis: Diagnosis) -> Validation {
    let not_asked = || Check::Unknown("the vault could not be asked".to_owned());
    let failed = |diagnosis: &Diagnosis| Check::Failed(diagnosis.clone().into());
    match diagnosis.cause.class() {
        Class::Absent | Class::Disabled | Class::SoftDeleted | Class::Busy => authorized(),
        Class::Denied => Validation {
            verdict: Verdict::Valid,
            authenticated: Check::Passed,
            reachable: Check::Passed,
            authorized: Check::Unknown(format!(
                "a role may cover single secrets only; the probe was refused: {diagnosis}"
            )),
        },
        Class::Unauthenticated => Validation {
            authenticated: failed(&diagnosis),
            reachable: Check::Passed,
            authorized: not_asked(),
            verdict: verdict(diagnosis),
        },
        Class::Throttled => Validation {
            authenticated: Check::Passed,
            reachable: Check::Passed,
            authorized: Check::Unknown(diagnosis.to_string()),
            verdict: verdict(diagnosis),
        },
        Class::Unreachable
        | Class::PropertyMissing
        | Class::InvalidReference
        | Class::InvalidStore
        | Class::InvalidGenerator
        | Class::Unsupported
        | Class::OverBudget => Validation {
            authenticated: Check::Passed,
            reachable: if diagnosis.cause == Cause::Aborted { not_asked() } else { failed(&diagnosis) },
            authorized: not_asked(),
            verdict: verdict(diagnosis),
        },
    }
}

fn verdict(diagnosis: Diagnosis) -> Verdict {
    if diagnosis.cause.is_outage() { Verdict::Unknown(diagnosis.into()) } else { Verdict::Invalid(diagnosis.into()) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::diagnose::EntraCode;
    use super::*;

    /// `V`alid, `I`nvalid or `U`nknown, then for each check `T`rue, `F`alse or `?`.
    fn summary(validation: &Validation) -> String {
        let verdict = match validation.verdict {
            Verdict::Valid => 'V',
            Verdict::Invalid(_) => 'I',
            Verdict::Unknown(_) => 'U',
        };
        let check = |check: &Check| match check {
            Check::Passed => 'T',
            Check::Failed(_) => 'F',
            Check::Unknown(_) => '?',
        };
        [verdict, ' ', check(&validation.authenticated), check(&validation.reachable), check(&validation.authorized)]
            .iter()
            .collect()
    }

    #[rstest]
    #[case(Cause::SecretNotFound, "V TTT")]
    #[case(Cause::Disabled, "V TTT")]
    #[case(Cause::ForbiddenByRbac, "V TT?")]
    #[case(Cause::AccessDenied, "V TT?")]
    #[case(Cause::ForbiddenByFirewall, "I TF?")]
    #[case(Cause::ForbiddenByConnection, "I TF?")]
    #[case(Cause::HostNotFound, "I TF?")]
    #[case(Cause::TlsUnknownIssuer, "I TF?")]
    #[case(Cause::TokenRefused, "I FT?")]
    #[case(Cause::Timeout, "U TF?")]
    #[case(Cause::ConnectionRefused, "U TF?")]
    #[case(Cause::DnsUnavailable, "U TF?")]
    #[case(Cause::VaultUnavailable, "U TF?")]
    #[case(Cause::VaultFailed, "U TF?")]
    #[case(Cause::VaultThrottled, "U TT?")]
    fn what_the_read_says_decides_the_conditions(#[case] cause: Cause, #[case] expected: &str) {
        assert_eq!(summary(&after_read(Diagnosis::new(cause, "x"))), expected);
    }

    #[rstest]
    #[case(Cause::EntraRefused(EntraCode::NoMatchingFederation), "I F??")]
    #[case(Cause::ServiceAccountMissing, "I F??")]
    #[case(Cause::EntraUnavailable, "U ???")]
    #[case(Cause::Timeout, "U ???")]
    #[case(Cause::ClusterUnavailable, "U ???")]
    fn without_a_token_only_a_refusal_makes_the_store_invalid(#[case] cause: Cause, #[case] expected: &str) {
        assert_eq!(summary(&without_token(Diagnosis::new(cause, "x"))), expected);
    }
}
