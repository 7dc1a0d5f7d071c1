//! The result of a check.

use crate::cli::person::explanation::Explanation;
use crate::cli::person::outcome::Outcome;
use crate::controller::core::api_call::ApiError;

/// The result of a check.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// The check's stable name, one word.
    pub(super) id: &'static str,
    /// The group under which it is shown.
    pub(super) group: &'static str,
    pub(super) outcome: Outcome,
    pub(super) about: Option<About>,
    pub(super) message: String,
    /// For how many results it stands: more than one if others are left out.
    pub(super) stands_for: usize,
    pub(super) remedy: Option<String>,
    /// A page of the documentation, with an anchor.
    pub(super) see: Option<&'static str>,
}

/// The object that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) group: &'static str,
}

impl Check {
    pub(super) const fn new(group: &'static str, id: &'static str) -> Self {
        Self { id, group }
    }

    fn finding(self, outcome: Outcome, message: impl Into<String>) -> Finding {
        let (message, stands_for) = (message.into(), 1);
        Finding { id: self.id, group: self.group, outcome, about: None, message, stands_for, remedy: None, see: None }
    }

    /// One more result that is left out.
    pub(super) fn others(self, outcome: Outcome) -> Finding {
        self.finding(outcome, "and 1 more")
    }

    pub(super) fn ok(self, message: impl Into<String>) -> Finding {
        self.finding(Outcome::Ok, message)
    }

    pub(super) fn warning(self, message: impl Into<String>, remedy: &str, see: &'static str) -> Finding {
        let found = self.finding(Outcome::Warning, message);
        Finding { remedy: Some(remedy.to_owned()), see: Some(see), ..found }
    }

    pub(super) fn failed(self, message: impl Into<String>, remedy: &str, see: &'static str) -> Finding {
        let found = self.finding(Outcome::Failed, message);
        Finding { remedy: Some(remedy.to_owned()), see: Some(see), ..found }
    }

    /// The check could not run, for lack of a right or because the API server did not answer.
    pub(super) fn skipped(self, what: &str, error: &ApiError) -> Finding {
        let why = match error.code() {
            Some(403) => format!("no right to read {what}"),
            _ => format!("{what} could not be read: {}", error.reason()),
        };
        self.finding(Outcome::Skipped, why)
    }

    pub(super) fn not_looked_at(self, why: &str) -> Finding {
        self.finding(Outcome::Skipped, why)
    }
}

impl Finding {
    pub(super) fn about(self, kind: &str, namespace: &str, name: &str) -> Self {
        let about = About { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
        Self { about: Some(about), ..self }
    }

    /// Left out, with one more.
    pub(super) fn and_another(self) -> Self {
        let stands_for = self.stands_for + 1;
        Self { stands_for, message: format!("and {stands_for} more"), ..self }
    }

    /// Adds the remedy for a known cause.
    pub(super) fn explained(self, explanation: Option<Explanation>) -> Self {
        match explanation {
            Some(explanation) => {
                Self { remedy: Some(explanation.remedy.to_owned()), see: Some(explanation.see), ..self }
            }
            None => self,
        }
    }
}
