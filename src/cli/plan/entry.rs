//! What the controller would do for one ExternalSecret, ready to be printed. Contains only those values that may be
//! shown.

use jiff::Timestamp;

use super::action::Action;
use super::diff::{self, Change};
use super::parents::Parent;
use super::push::PushEntry;
use super::subject::Subject;
use crate::api::v1::{ExternalSecret, ExternalSecretSpec};
use crate::cli::preview::{Preview, Previewer};
use crate::cli::redaction::Redactor;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::destination::Existing;
use crate::controller::external_secret::error::Error;
use crate::controller::external_secret::failure::Report;
use crate::controller::external_secret::spec::check;
use crate::controller::external_secret::steps::{self, Known, Look, Settings, Step};
use crate::controller::external_secret::subject::Subject as Observed;
use crate::sync::object::TargetObject;
use crate::sync::plan::{Plan, TargetSecret};
use crate::sync::refresh::{Due, Reason, TemplatesState};
use crate::sync::target::{Owner, target_name};

/// What the controller would do for one ExternalSecret.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) external_secret: ObjectKey,
    /// The kind of its target.
    pub(super) kind: String,
    /// The name of its target.
    pub(super) target: String,
    pub(super) action: Action,
    /// The resulting condition `Ready`; `None` if the controller would not set one.
    pub(super) condition: Option<Condition>,
    /// Why the controller would write nothing in any case.
    pub(super) left_alone: Option<&'static str>,
    /// When the controller would do it.
    pub(super) due: Option<Due>,
    /// The changes of the target.
    pub(super) changes: Vec<Change>,
    /// The objects that would be deleted.
    pub(super) deletions: Vec<Deletion>,
}

/// The condition `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// `True` or `False`.
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// An object that would be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deletion {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) reason: &'static str,
}

/// What is needed to make entries.
pub(super) struct Examiner<'a> {
    pub(super) previewer: Previewer<'a>,
    pub(super) settings: Settings<'a>,
    pub(super) redactor: Redactor,
    pub(super) now: Timestamp,
}

/// The kind of target unless the spec names another.
const SECRET: &str = "Secret";

fn kind_of_target(spec: &ExternalSecretSpec) -> Option<&str> {
    Some(spec.target.as_ref()?.manifest.as_ref()?.kind.as_str())
}

/// The plan, or what was found before one was needed.
enum Finding {
    /// The controller would ignore it.
    NotOurs(&'static str),
    /// The controller would do nothing until something changes.
    NotDue,
    /// The controller would do this.
    Planned(Due, Box<Preview>),
}

impl Examiner<'_> {
    /// Finds out what the controller would do.
    pub(super) async fn examine(&self, subject: &Subject) -> Entry {
        let object = &subject.object;
        let mut entry = Entry {
            external_secret: ObjectKey::of(&object.metadata),
            kind: object.spec.get().ok().and_then(kind_of_target).unwrap_or(SECRET).to_owned(),
            target: object.spec.get().map(|spec| target_name(&object.metadata, spec).to_owned()).unwrap_or_default(),
            action: Action::None,
            condition: None,
            left_alone: None,
            due: None,
            changes: Vec::new(),
            deletions: Vec::new(),
        };
        match self.find(subject).await {
            Ok(Finding::NotOurs(why)) => entry.left_alone = Some(why),
            Ok(Finding::NotDue) => entry.due = Some(Due::OnChange),
            Ok(Finding::Planned(due, preview)) => self.fill(&mut entry, due, &preview, object),
            Err(error) => {
                let report = Report::of(&error, object);
                entry.action = Action::Refuse;
                entry.condition =
                    Some(Condition { status: "False", reason: report.reason, message: report.message(&error) });
            }
        }
        entry
    }

    /// The result of the controller's steps, and the plan that follows.
    async fn find(&self, subject: &Subject) -> Result<Finding, Error> {
        let object = &subject.object;
        let key = ObjectKey::of(&object.metadata);
        let observed = Observed { now: self.now, ..Observed::new(&key, object, object.status.as_ref()) };
        let templates = if subject.has_new_templates { TemplatesState::Changed } else { TemplatesState::Same };
        let known = Known { verified: None, own: None, last_write: None, templates, token: None };
        let Previewer { inputs, version, .. } = self.previewer;
        let Look { due, target, .. } = match steps::next(observed, version, self.settings, &known, check, inputs)
            .await?
        {
            Step::NotOurs => {
                return Ok(Finding::NotOurs(
                    "a store or generator that it uses is of another controller class, or of a kind that this controller ignores",
                ));
            }
            Step::Deleted => {
                return Ok(Finding::NotOurs("it is being deleted, together with what it owns"));
            }
            Step::Sync(look) => look,
        };
        if due == Due::OnChange {
            return Ok(Finding::NotDue);
        }
        let reason = if let Due::Now(reason) = due { reason } else { Reason::Interval };
        let preview = self.previewer.preview(object, target.read(), reason).await?;
        Ok(Finding::Planned(due, Box::new(preview)))
    }

    fn fill(&self, entry: &mut Entry, due: Due, preview: &Preview, object: &ExternalSecret) {
        const GONE: &str = "its values no longer exist at the provider, and deletionPolicy is Delete";
        const STALE: &str = "it has an earlier target name of the ExternalSecret";
        let Ok(spec) = object.spec.get() else { return };
        let owner = Owner::new(&object.metadata, spec, self.previewer.version);
        let statement = preview.plan.statement(owner);
        entry.due = Some(due);
        entry.condition =
            Some(Condition { status: "True", reason: statement.reason, message: statement.message.to_owned() });
        let existing = preview.existing.as_ref();
        let changes = |secret: &TargetSecret| {
            diff::changes(existing.and_then(Existing::secret), secret.object(), owner, &self.redactor)
        };
        let object_changes = |object: &TargetObject| {
            diff::object_changes(existing.and_then(Existing::object), object.object(), owner, &self.redactor)
        };
        match &preview.plan {
            Plan::Create(secret) => (entry.action, entry.changes) = (Action::Create, changes(secret)),
            Plan::Update(secret) => (entry.action, entry.changes) = (Action::Update, changes(secret)),
            Plan::CreateObject(object) => (entry.action, entry.changes) = (Action::Create, object_changes(object)),
            Plan::UpdateObject(object) => (entry.action, entry.changes) = (Action::Update, object_changes(object)),
            Plan::Delete(deletion) => {
                entry.action = Action::Delete;
                entry.deletions.push(Deletion { kind: entry.kind.clone(), name: deletion.name.clone(), reason: GONE });
            }
            Plan::NotWritten => entry.left_alone = Some("its creationPolicy is None, so no target is written"),
            Plan::Unchanged | Plan::Deleted | Plan::Retained | Plan::Missing => {}
        }
        let stale = preview.stale.iter().map(|stale| Deletion {
            kind: SECRET.to_owned(),
            name: stale.name.clone(),
            reason: STALE,
        });
        entry.deletions.extend(stale);
    }
}

/// When the controller would handle it, in words.
pub(super) fn in_words(due: Due) -> String {
    match due {
        Due::Now(reason) => format!("now: {}", reason_in_words(reason)),
        Due::At(time) => format!("at {time}"),
        Due::OnChange => "not before the ExternalSecret or the target changes".to_owned(),
    }
}

const fn reason_in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "it was never synced",
        Reason::Changed => "its spec, labels or annotations differ from those of the last sync",
        Reason::Interval => "its interval has passed",
        Reason::ClockWentBack => "its last sync is in the future",
        Reason::TargetChanged => "the target differs from what was last written",
        Reason::TemplatesChanged => "the source of its templates changes",
        Reason::Expiry => "a token ends",
    }
}

/// All that is printed.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) parents: Vec<Parent>,
    pub(super) entries: Vec<Entry>,
    pub(super) pushes: Vec<PushEntry>,
}

/// The number of entries per action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) create: usize,
    pub(super) update: usize,
    pub(super) delete: usize,
    pub(super) unchanged: usize,
    pub(super) refused: usize,
}

impl Summary {
    pub(super) fn of(all: &Findings) -> Self {
        let Findings { entries, parents, pushes } = all;
        let children = || parents.iter().flat_map(|parent| &parent.children).map(|child| child.action);
        let objects = || pushes.iter().flat_map(PushEntry::actions);
        let actions = || entries.iter().map(|entry| entry.action).chain(children()).chain(objects());
        let count = |action| actions().filter(|found| *found == action).count();
        let is_unchanged = |entry: &&Entry| entry.action == Action::None && entry.deletions.is_empty();
        let deletions: usize = entries.iter().map(|entry| entry.deletions.len()).sum();
        let unchanged: usize = parents.iter().map(|parent| parent.unchanged).sum();
        Self {
            create: count(Action::Create),
            update: count(Action::Update),
            delete: deletions + children().chain(objects()).filter(|action| *action == Action::Delete).count(),
            unchanged: entries.iter().filter(is_unchanged).count()
                + unchanged
                + objects().filter(|action| *action == Action::None).count(),
            refused: count(Action::Refuse) + parents.iter().filter(|parent| parent.fault.is_some()).count(),
        }
    }

    /// Whether anything would be written.
    pub(super) const fn has_changes(self) -> bool {
        self.create + self.update + self.delete > 0
    }
}
