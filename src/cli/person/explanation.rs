//! What a cause means to a person: which step between manifest and Secret failed, and what to do about it. Uses the
//! tables from which `docs/conditions.md` is generated.

use crate::controller::external_secret::failure::{Failure, Report};
use crate::controller::push_secret::failure::{Failure as PushFailure, Report as PushReport};
use crate::provider::all_causes;
use crate::provider::causes::CauseDescription;
use crate::provider::error::{Class, Retry};

/// A link of the chain from a manifest to its Secret, of a PushSecret from its Secret to the vault, or of what makes objects in namespaces
/// to these, in the order of the controller's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Link {
    /// The manifest itself.
    Spec,
    /// The store that it names.
    Store,
    /// The identity of the store.
    Identity,
    /// The Secret or the generator whose values are pushed.
    Source,
    /// The values that it reads, and their conversion.
    Entry,
    /// Its template.
    Template,
    /// The Secret.
    Target,
    /// The objects that are pushed.
    Objects,
    /// The namespaces in which objects are made.
    Namespaces,
    /// The objects that are made there.
    Children,
}

impl Link {
    /// Its name in the output.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Store => "store",
            Self::Identity => "identity",
            Self::Source => "source",
            Self::Entry => "entry",
            Self::Template => "template",
            Self::Target => "target",
            Self::Objects => "objects",
            Self::Namespaces => "namespaces",
            Self::Children => "children",
        }
    }
}

/// What a cause means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Explanation {
    /// Its name.
    pub(in crate::cli) cause: &'static str,
    /// Where the fault is.
    pub(in crate::cli) link: Link,
    /// What to do.
    pub(in crate::cli) remedy: &'static str,
    /// Whether the controller retries without a change of the manifest.
    pub(in crate::cli) retry: Retry,
    /// The page that says more.
    pub(in crate::cli) see: &'static str,
}

/// Explains a failure, by the cause in the status or else by the words of the message. `None` if neither is known.
pub(in crate::cli) fn of(cause: Option<&str>, message: &str) -> Option<Explanation> {
    let failures = || Failure::ALL.iter().map(|failure| (*failure, failure.report()));
    let Some(cause) = cause else { return by_words(message) };
    let same = |report: &Report| report.cause == cause;
    let exact = failures().find(|(_, report)| same(report) && message.starts_with(report.lead));
    if let Some((failure, report)) = exact {
        return Some(of_failure(failure, report));
    }
    if let Some(description) = descriptions().find(|description| description.label == cause) {
        return Some(of_provider(&description));
    }
    failures().find(|(_, report)| same(report)).map(|(failure, report)| of_failure(failure, report))
}

/// Explains a failure of a PushSecret, by the cause in the status or else by the words of the message. `None` if neither is known.
pub(in crate::cli) fn of_push(cause: Option<&str>, message: &str) -> Option<Explanation> {
    let failures = || PushFailure::ALL.iter().map(|failure| (*failure, failure.report()));
    let provider = match cause {
        Some(cause) => descriptions().find(|description| description.label == cause),
        None => descriptions().find(|description| message.contains(&format!("({})", description.label))),
    };
    let of_words = |report: &PushReport| message.starts_with(report.lead);
    let found = if let Some(cause) = cause {
        let same = || failures().filter(|(_, report)| report.cause == cause);
        same().find(|(_, report)| of_words(report)).or_else(|| same().next())
    } else {
        // Only words that belong to a single failure.
        let mut fitting = failures().filter(|(_, report)| of_words(report));
        fitting.next().filter(|_| fitting.next().is_none())
    };
    match (found, provider) {
        (Some((failure, report)), None) => Some(of_push_failure(failure, report)),
        (_, Some(description)) => {
            let explanation = of_provider(&description);
            let link = if explanation.link == Link::Entry { Link::Objects } else { explanation.link };
            Some(Explanation { link, ..explanation })
        }
        (None, None) => None,
    }
}

fn of_push_failure(failure: PushFailure, report: PushReport) -> Explanation {
    let link = match failure {
        PushFailure::InvalidSpec | PushFailure::Rejected | PushFailure::DataToStore | PushFailure::StoreUnnamed => {
            Link::Spec
        }
        PushFailure::Store | PushFailure::NoStore => Link::Store,
        PushFailure::Source | PushFailure::Generator | PushFailure::ApiServer => Link::Source,
        PushFailure::Template => Link::Template,
        _ => Link::Objects,
    };
    let (cause, remedy, retry) = (report.cause, report.remedy, report.retry);
    Explanation { cause, link, remedy, retry, see: "docs/conditions.md#pushsecret" }
}

/// The same if the API server does not store the cause, as with ESO's CRDs. Messages name a provider's cause in
/// brackets.
fn by_words(message: &str) -> Option<Explanation> {
    if let Some(description) = descriptions().find(|description| message.contains(&format!("({})", description.label)))
    {
        return Some(of_provider(&description));
    }
    let mut failures = Failure::ALL.iter().map(|failure| (*failure, failure.report()));
    let (failure, report) = failures.find(|(_, report)| message.starts_with(report.lead))?;
    // Only words that belong to a single failure.
    let is_unique = Failure::ALL.iter().filter(|failure| failure.report().lead == report.lead).count() == 1;
    is_unique.then(|| of_failure(failure, report))
}

fn descriptions() -> impl Iterator<Item = CauseDescription> {
    all_causes::of_providers().into_iter().flat_map(|(_, causes)| causes)
}

/// Explains a provider's cause.
pub(in crate::cli) fn of_provider(description: &CauseDescription) -> Explanation {
    let (link, see) = match description.class {
        Class::Unauthenticated => (Link::Identity, "docs/troubleshooting.md#entra-id-gives-no-token"),
        Class::InvalidStore => (Link::Store, "docs/troubleshooting.md#an-externalsecret-does-not-become-ready"),
        Class::Denied => (Link::Entry, "docs/troubleshooting.md#403-the-vault-refuses"),
        Class::Unreachable | Class::Throttled => (Link::Entry, "docs/troubleshooting.md#the-vault-cannot-be-reached"),
        _ => (Link::Entry, "docs/conditions.md#causes-of-providers"),
    };
    Explanation { cause: description.label, link, remedy: description.remedy, retry: description.class.retry(), see }
}

fn of_failure(failure: Failure, report: Report) -> Explanation {
    Explanation {
        cause: report.cause,
        link: link(failure),
        remedy: report.remedy,
        retry: report.retry,
        see: "docs/conditions.md#externalsecret-ready-is-false",
    }
}

const fn link(failure: Failure) -> Link {
    match failure {
        Failure::InvalidSpec
        | Failure::Rejected
        | Failure::Unsupported
        | Failure::StoreNotNamed
        | Failure::GenericTargetsOff
        | Failure::DeletionByPolicy => Link::Spec,
        Failure::StoreNotFound
        | Failure::StoreNotValidated
        | Failure::StoreNotReady
        | Failure::NamespaceExcluded
        | Failure::Unreadable => Link::Store,
        Failure::Provider | Failure::Generator | Failure::Data => Link::Entry,
        Failure::Template => Link::Template,
        _ => Link::Target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_and_each_cause_has_the_remedy_of_the_page_of_conditions() {
        for failure in Failure::ALL {
            let report = failure.report();
            // Provider failures have causes of their own.
            if report.cause.is_empty() {
                continue;
            }
            let found = of(Some(report.cause), &format!("{}: more", report.lead)).unwrap();
            assert_eq!((found.remedy, found.retry), (report.remedy, report.retry), "{failure:?}");
        }
        for description in descriptions() {
            let is_shared = Failure::ALL.iter().any(|failure| failure.report().cause == description.label);
            let found = of(Some(description.label), "could not get secret data from provider: x").unwrap();
            assert!(is_shared || found.remedy == description.remedy || found.cause == description.label);
            let message = format!("could not get secret data from provider: x ({}): y", description.label);
            assert_eq!(of(None, &message).unwrap().cause, description.label);
        }
        assert_eq!(of(None, "whatever"), None);
    }

    #[test]
    fn each_failure_of_a_push_has_the_remedy_of_the_page_of_conditions() {
        for failure in PushFailure::ALL {
            let report = failure.report();
            // Provider failures have causes of their own.
            if report.cause.is_empty() {
                continue;
            }
            let found = of_push(Some(report.cause), &format!("{}: more", report.lead)).unwrap();
            let of_provider = descriptions().any(|description| description.label == report.cause);
            assert!(of_provider || (found.remedy, found.retry) == (report.remedy, report.retry), "{failure:?}");
        }
        for description in descriptions() {
            let message = format!("set secret failed: x ({}): y", description.label);
            assert_eq!(of_push(None, &message).unwrap().cause, description.label);
        }
        assert_eq!(of_push(Some("Refused"), "set secret failed: x").unwrap().link, Link::Objects);
        assert_eq!(of_push(None, "whatever"), None);
    }

    #[test]
    fn a_cause_is_located_where_its_remedy_helps() {
        let link = |cause| of(Some(cause), "").unwrap().link;
        assert_eq!(link("Rejected"), Link::Spec);
        assert_eq!(link("StoreNotReady"), Link::Store);
        assert_eq!(link("AADSTS700016"), Link::Identity);
        assert_eq!(link("SecretNotFound"), Link::Entry);
        assert_eq!(link("Template"), Link::Template);
        assert_eq!(link("OwnedByOther"), Link::Target);
    }
}
