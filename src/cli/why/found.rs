//! What was found about a link of the chain.

use super::writers::Writer;
use crate::cli::person::explanation::{Explanation, Link};
use crate::cli::person::outcome::Outcome;

/// What was found about a link.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) link: Link,
    /// The field concerned, such as `spec.data[0]`.
    pub(super) field: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) cause: Option<String>,
    pub(super) message: String,
    pub(super) remedy: Option<String>,
    pub(super) see: Option<&'static str>,
    /// Who else wrote to the Secret.
    pub(super) writers: Vec<Writer>,
}

impl Found {
    pub(super) fn new(link: Link, outcome: Outcome, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { link, field: None, outcome, cause: None, message, remedy: None, see: None, writers: Vec::new() }
    }

    pub(super) fn explained(self, explanation: Option<Explanation>) -> Self {
        let Some(explanation) = explanation else { return self };
        Self {
            cause: Some(explanation.cause.to_owned()).filter(|cause| !cause.is_empty()),
            remedy: Some(explanation.remedy.to_owned()),
            see: Some(explanation.see),
            ..self
        }
    }
}
