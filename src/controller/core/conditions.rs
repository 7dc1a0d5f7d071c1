//! Status conditions.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1::{Condition, ConditionStatus};
use crate::sync::one_line::{on_one_line, shortened};

/// The longest message that is written: a status is not a log.
const LONGEST_MESSAGE: usize = 2048;

/// A condition's content, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The condition's type.
    pub(crate) type_: &'static str,
    pub(crate) status: ConditionStatus,
    /// One word, for programs.
    pub(crate) reason: String,
    /// A sentence, for people.
    pub(crate) message: String,
}

/// The condition with this type.
#[must_use]
pub(crate) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Adds or replaces the condition that a statement is about. `lastTransitionTime` changes only with the status. The
/// order, and conditions of other types, stay as they are.
pub(crate) fn set(conditions: &mut Vec<Condition>, statement: Statement, generation: Option<i64>, now: Timestamp) {
    let previous = conditions.iter_mut().find(|condition| condition.type_ == statement.type_);
    let since = previous
        .as_ref()
        .filter(|condition| condition.status == statement.status)
        .and_then(|condition| condition.last_transition_time.clone())
        .unwrap_or_else(|| Time(seconds(now)));
    let next = Condition {
        type_: statement.type_.to_owned(),
        status: statement.status,
        reason: Some(statement.reason),
        message: Some(shortened(on_one_line(&statement.message), LONGEST_MESSAGE)),
        last_transition_time: Some(since),
        observed_generation: generation,
    };
    match previous {
        Some(condition) => *condition = next,
        None => conditions.push(next),
    }
}

/// Truncates to whole seconds, which is all that Kubernetes stores: what is read back must equal what was written.
#[must_use]
pub(crate) fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
