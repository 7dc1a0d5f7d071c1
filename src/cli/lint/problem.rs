//! What is wrong with a manifest, and where.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::source::edit::Edit;
use crate::cli::source::tree::Mark;

/// What a problem is of. The names are stable: people disable them by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(in crate::cli) enum Id {
    /// The text is not YAML, or not an object of Kubernetes
    Syntax,
    /// An object, or a key of a mapping, is there twice
    Twice,
    /// A field that the API server drops silently
    UnknownField,
    /// A value of the wrong type, or a required field that is missing
    Type,
    /// What the webhook refuses, or the controller cannot work with
    Rejected,
    /// What the External Secrets Operator has and this controller does not serve
    Unsupported,
    /// What is allowed, and probably a mistake
    Unwise,
    /// A template that cannot be parsed
    Template,
    /// A name in a template that no entry of `data` has
    MissingKey,
    /// A version that is no longer served by default
    OldVersion,
    /// Two ExternalSecrets that want to own one Secret
    TwoOwners,
    /// A store that is not among the manifests
    StoreNotGiven,
    /// A credential of a store in clear text
    PlainCredential,
    /// More requests than a vault answers
    TooOften,
}

impl Id {
    /// Its name.
    pub(in crate::cli) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it is about.
    pub(in crate::cli) fn about(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Level {
    /// Worth knowing.
    Note,
    /// Probably a mistake.
    Warning,
    /// It does not work.
    Error,
}

impl Level {
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A problem of an object, by the path of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Finding {
    pub(in crate::cli) id: Id,
    pub(in crate::cli) level: Level,
    /// The path of the field in the object; empty of the object itself.
    pub(in crate::cli) field: String,
    /// What is wrong, and what to do. Quotes no value that may be a secret.
    pub(in crate::cli) message: String,
    /// What puts it right.
    pub(in crate::cli) fix: Option<Fix>,
}

/// What puts a problem right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Fix {
    /// The field's value is put in quotes.
    Quote,
    /// The field's key becomes this.
    Rename(String),
    /// In the field's value the one text becomes the other.
    Replace(&'static str, &'static str),
}

impl Finding {
    pub(in crate::cli) fn new(id: Id, level: Level, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { id, level, field: field.into(), message: message.into(), fix: None }
    }

    pub(in crate::cli) fn error(id: Id, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(id, Level::Error, field, message)
    }

    pub(in crate::cli) fn warning(id: Id, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(id, Level::Warning, field, message)
    }

    pub(in crate::cli) fn with_fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

/// A problem, where it is in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Problem {
    pub(in crate::cli) id: Id,
    pub(in crate::cli) level: Level,
    /// Which of the files.
    pub(in crate::cli) file: usize,
    /// Its name.
    pub(in crate::cli) path: String,
    pub(in crate::cli) mark: Mark,
    pub(in crate::cli) field: String,
    pub(in crate::cli) message: String,
    /// What puts it right, in the text of the file.
    pub(in crate::cli) edits: Vec<Edit>,
}

impl Problem {
    /// The field and what is wrong with it.
    pub(in crate::cli) fn sentence(&self) -> String {
        if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) }
    }

    /// For programs.
    pub(in crate::cli) fn document(&self) -> Value {
        json!({
            "id": self.id.name(),
            "level": self.level.name(),
            "path": self.path,
            "line": self.mark.line,
            "column": self.mark.column,
            "field": self.field,
            "message": self.message,
            "fixable": !self.edits.is_empty(),
        })
    }
}
