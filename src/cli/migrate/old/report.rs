//! What has become of the objects of another tool.

use serde_json::{Value, json};

/// How something was migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::migrate) enum Outcome {
    /// A manifest says the same.
    Done,
    /// A person has to do, or to look at, something.
    ByHand,
    /// Nothing here does what the other tool did.
    NotPossible,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ByHand => "by hand",
            Self::NotPossible => "not possible",
        }
    }
}

/// What has become of a field, or of an object as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) struct Line {
    pub(super) outcome: Outcome,
    /// Kind and name.
    pub(super) object: String,
    /// The path of the field; empty of the object itself.
    pub(super) field: String,
    pub(super) message: String,
}

/// The manifests, and what is to be said of them.
#[derive(Debug, Default)]
pub(in crate::cli::migrate) struct Conversion {
    pub(super) manifests: Vec<Value>,
    pub(super) lines: Vec<Line>,
}

impl Conversion {
    /// Whether something has no answer.
    pub(in crate::cli::migrate) fn has_gaps(&self) -> bool {
        self.lines.iter().any(|line| line.outcome == Outcome::NotPossible)
    }

    /// What is said of one object.
    pub(super) fn about(&mut self, object: &str) -> About<'_> {
        About { conversion: self, object: object.to_owned() }
    }

    /// A manifest, unless the very same is there already.
    pub(super) fn add(&mut self, manifest: Value) {
        if !self.manifests.contains(&manifest) {
            self.manifests.push(manifest);
        }
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let line = |line: &Line| {
            json!({
                "result": line.outcome.name(),
                "object": line.object,
                "field": line.field,
                "message": line.message,
            })
        };
        json!({"version": 1, "report": self.lines.iter().map(line).collect::<Vec<_>>()})
    }
}

/// Says something of one object.
pub(super) struct About<'c> {
    conversion: &'c mut Conversion,
    object: String,
}

impl About<'_> {
    pub(super) fn done(&mut self, field: &str, message: impl Into<String>) {
        self.say(Outcome::Done, field, message.into());
    }

    pub(super) fn by_hand(&mut self, field: &str, message: impl Into<String>) {
        self.say(Outcome::ByHand, field, message.into());
    }

    pub(super) fn impossible(&mut self, field: &str, message: impl Into<String>) {
        self.say(Outcome::NotPossible, field, message.into());
    }

    fn say(&mut self, outcome: Outcome, field: &str, message: String) {
        let line = Line { outcome, object: self.object.clone(), field: field.to_owned(), message };
        if !self.conversion.lines.contains(&line) {
            self.conversion.lines.push(line);
        }
    }
}
