//! What the controller would do for PushSecrets: the action for each object, with the names of what differs, never values.

pub(in crate::cli) mod parents;
pub(super) mod subject;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::action::Action;
use crate::api::v1alpha1::PushSecret;
use crate::controller::core::key::ObjectKey;
use crate::controller::push_secret::error::{Error, Problem};
use crate::controller::push_secret::preview::{self, Planned, Wish, Wishes};
use crate::controller::push_secret::view::Tools;
use crate::controller::store_access::key::StoreKey;
use crate::push::{Action as Done, Property};
use crate::sync::refresh::Due;

/// How many PushSecrets are planned concurrently.
const CONCURRENCY: usize = 8;

/// What the controller would do for one PushSecret.
#[derive(Debug)]
pub(super) struct PushEntry {
    /// The PushSecret.
    pub(super) push_secret: ObjectKey,
    /// Its objects, the desired ones first.
    pub(super) objects: Vec<Object>,
    /// Why nothing can be determined, in the words of the condition `Ready`.
    pub(super) error: Option<String>,
    /// Why nothing is written.
    pub(super) left_alone: Option<String>,
    /// When it is pushed next, if nothing changes.
    pub(super) due: Option<Due>,
}

/// The action for one object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// The store.
    pub(super) store: StoreKey,
    /// The vault; empty if it is unknown.
    pub(super) vault: String,
    /// The object, such as `secret/db-password`; empty if it is unknown.
    pub(super) name: String,
    /// The remote key.
    pub(super) remote_key: String,
    /// The action.
    pub(super) action: Action,
    /// The action as in the controller's metrics.
    pub(super) what: &'static str,
    /// The reason, if it is not obvious.
    pub(super) why: Option<String>,
    /// The names of what differs.
    pub(super) changes: Vec<String>,
}

impl PushEntry {
    /// The action for each object, or why none can be determined.
    pub(super) fn actions(&self) -> impl Iterator<Item = Action> {
        let failed = self.error.as_ref().map(|_| Action::Refuse);
        let alone = self.left_alone.as_ref().map(|_| Action::None).filter(|_| self.objects.is_empty());
        failed.into_iter().chain(alone).chain(self.objects.iter().map(|object| object.action))
    }

    /// How many objects are up to date.
    pub(super) fn unchanged(&self) -> usize {
        self.objects.iter().filter(|object| object.action == Action::None && object.why.is_none()).count()
    }
}

impl Object {
    /// The object and its vault.
    pub(super) fn in_words(&self) -> String {
        match (self.name.is_empty(), self.vault.is_empty()) {
            (false, false) => format!("{} in vault {}", self.name, self.vault),
            _ => format!("{:?} of {}", self.remote_key, self.store),
        }
    }

    /// The action, in words, for an object that is neither created nor deleted.
    pub(super) fn done(&self) -> &'static str {
        match self.what {
            "version" => "would get a new version from",
            "recovered" => "would be recovered by",
            _ => "would be changed without a new version by",
        }
    }

    fn of(planned: Planned, why_left_over: &str) -> Self {
        let Planned { store, vault, remote_key, name, action } = planned;
        let what = action.as_ref().map_or("failed", Done::label);
        let names = |properties: &[Property]| properties.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (action, why, changes) = match action {
            Err(obstacle) => (Action::Refuse, Some(obstacle.message), Vec::new()),
            Ok(Done::Create) => (Action::Create, None, Vec::new()),
            Ok(Done::NewVersion(properties)) => {
                let changes = std::iter::once("value".to_owned()).chain(names(&properties)).collect();
                (Action::Update, None, changes)
            }
            Ok(Done::ChangeProperties(properties)) => (Action::Update, None, names(&properties)),
            Ok(Done::Recover) => (
                Action::Update,
                Some("it is deleted, recoverable, and ours; then it is compared".to_owned()),
                Vec::new(),
            ),
            Ok(Done::Delete) => (Action::Delete, Some(why_left_over.to_owned()), Vec::new()),
            Ok(Done::Nothing | Done::Gone) => (Action::None, None, Vec::new()),
            Ok(Done::Skip) => {
                (Action::None, Some("it is there, and updatePolicy is IfNotExists".to_owned()), Vec::new())
            }
            Ok(Done::Leave(refusal)) => {
                let why = format!("it is not wanted any more, and left: {}", Problem::Refused(refusal));
                (Action::None, Some(why), Vec::new())
            }
            Ok(Done::Refuse(refusal)) => (Action::Refuse, Some(Problem::Refused(refusal).to_string()), Vec::new()),
            Ok(Done::Wait) => (Action::None, Some(Problem::Busy.to_string()), Vec::new()),
        };
        let name = name.map(|name| name.to_string()).unwrap_or_default();
        Self { store, vault, name, remote_key, action, what, why, changes }
    }
}

/// Determines what the controller would do. PushSecrets may conflict over an object, so all are planned together.
pub(super) async fn entries(subjects: &[PushSecret], tools: Tools<'_>, now: Timestamp) -> Vec<PushEntry> {
    let wishes: Vec<Result<Wish, Error>> =
        stream::iter(subjects).map(|object| preview::wish(object, tools)).buffered(CONCURRENCY).collect().await;
    let mut all = Wishes::default();
    for (object, wish) in subjects.iter().zip(&wishes) {
        if let Ok(Wish::Objects(objects)) = wish {
            all.add(object, objects);
        }
    }
    let all = &all;
    let look = |(object, wish)| entry(object, wish, all, tools, now);
    stream::iter(subjects.iter().zip(wishes)).map(look).buffered(CONCURRENCY).collect().await
}

async fn entry(
    object: &PushSecret,
    wish: Result<Wish, Error>,
    all: &Wishes,
    tools: Tools<'_>,
    now: Timestamp,
) -> PushEntry {
    let mut entry = PushEntry {
        push_secret: ObjectKey::of(&object.metadata),
        objects: Vec::new(),
        error: None,
        left_alone: None,
        due: preview::when(object, now),
    };
    let wish = match wish {
        Ok(wish) => wish,
        Err(error) => {
            entry.error = Some(error.to_string());
            return entry;
        }
    };
    let why_left_over = match &wish {
        Wish::NotOurs => {
            let why = "its stores are of another controller class, or of a kind that is left alone";
            entry.left_alone = Some(why.to_owned());
            return entry;
        }
        Wish::Deleted => {
            entry.left_alone = Some("it is being deleted".to_owned());
            "it is being deleted, and deletionPolicy is Delete".to_owned()
        }
        Wish::Nothing(why) => {
            entry.left_alone = Some(why.clone());
            format!("{why}; it is deleted if that is still so after a minute")
        }
        Wish::Objects(_) => "it is not wanted any more, and deletionPolicy is Delete".to_owned(),
    };
    let planned = all.look(object, &wish, tools).await;
    entry.objects = planned.into_iter().map(|planned| Object::of(planned, &why_left_over)).collect();
    entry
}

/// When a PushSecret is pushed next, in words. A change of its sources, which is unknown here, would be pushed at once.
pub(super) fn in_words(due: Due) -> String {
    match due {
        Due::Now(_) => "now".to_owned(),
        Due::At(time) => format!("at {time} at the latest"),
        Due::OnChange => "not before the PushSecret or its Secret changes".to_owned(),
    }
}
