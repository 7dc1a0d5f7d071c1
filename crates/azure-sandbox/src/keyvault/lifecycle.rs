//! What works the same for objects of every kind: finding, changing, deleting, recovering, listing.
//!
//! Source: "Azure Key Vault REST API reference" (<https://learn.microsoft.com/rest/api/keyvault/>): the operations of
//! the three kinds differ only in the bodies of their answers.

use http::StatusCode;
use serde::Serialize;

use super::errors::KeyVaultError;
use super::object::{AttributesView, DeletionView, ObjectKind, ObjectProperties, Setting, Version};
use super::paging::{PageRequest, page};
use super::shelf::{Conflict, Deletion, Entry, Shelf};

/// What a kind of object has in addition to versions, attributes and tags.
pub(crate) trait Body: Sized {
    /// The kind.
    const KIND: ObjectKind;

    /// The form of a version in answers.
    type View<'a>: Serialize
    where
        Self: 'a;

    /// Shows a version.
    fn view<'a>(shown: &Shown<'a, Self>) -> Self::View<'a>;

    /// Whether the object is part of a certificate, and only changes with that.
    fn is_managed(&self) -> bool {
        false
    }

    /// Whether a GET is refused while the version is disabled.
    fn hides_when_disabled() -> Option<KeyVaultError> {
        None
    }
}

/// How much an answer shows of a version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Everything, including a secret's value.
    Whole,
    /// Everything except a secret's value.
    Bundle,
    /// An item in a list of versions.
    VersionItem,
    /// An item in a list of objects, whose ID has no version.
    Item,
}

/// A version to be shown.
pub(crate) struct Shown<'a, B> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a Version<B>,
    pub(crate) setting: &'a Setting<'a>,
    pub(crate) form: Form,
}

impl<B: Body> Shown<'_, B> {
    /// Its identifier.
    pub(crate) fn id(&self) -> String {
        let version = (self.form != Form::Item).then_some(self.version.id.as_str());
        self.setting.id(B::KIND, self.name, version)
    }

    /// The identifier of the same version in another collection.
    pub(crate) fn id_as(&self, kind: ObjectKind) -> String {
        self.setting.id(kind, self.name, Some(&self.version.id))
    }

    pub(crate) fn is_item(&self) -> bool {
        matches!(self.form, Form::Item | Form::VersionItem)
    }

    pub(crate) fn attributes(&self) -> AttributesView {
        AttributesView::new(&self.version.attributes, self.setting.recovery)
    }

    /// The value of `managed`, which is omitted unless it is true.
    pub(crate) fn managed(&self) -> Option<bool> {
        self.version.body.is_managed().then_some(true)
    }
}

/// An answer: an object, and when it was deleted.
#[derive(Serialize)]
struct Answer<V> {
    #[serde(flatten)]
    deletion: Option<DeletionView>,
    #[serde(flatten)]
    view: V,
}

fn answer<'a, B: Body>(
    entry: &'a Entry<B>,
    version: &'a Version<B>,
    form: Form,
    setting: &'a Setting<'a>,
    deletion: Option<Deletion>,
) -> Answer<B::View<'a>> {
    let deletion = deletion.map(|deletion| DeletionView {
        recovery_id: format!("https://{}/{}/{}", setting.host, B::KIND.deleted_collection(), entry.name),
        deleted_date: deletion.deleted,
        scheduled_purge_date: deletion.purged,
    });
    Answer { deletion, view: B::view(&Shown { name: &entry.name, version, setting, form }) }
}

/// The JSON of an answer, with its fields in the order of the type.
pub(crate) fn text(answer: &impl Serialize) -> Result<String, KeyVaultError> {
    serde_json::to_string(answer).map_err(|_| KeyVaultError::failed(StatusCode::INTERNAL_SERVER_ERROR))
}

/// A name, or a name and a version, as in refusals.
fn path(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}/{version}"))
}

fn conflict<B: Body>(name: &str, conflict: Conflict) -> KeyVaultError {
    KeyVaultError::conflict(B::KIND, name, conflict)
}

/// The refusal that a conflict causes for a request to a deleted object.
fn deleted_conflict<B: Body>(name: &str, conflict: Conflict) -> KeyVaultError {
    match conflict {
        Conflict::NotFound => KeyVaultError::deleted_not_found(B::KIND, name),
        conflict => KeyVaultError::conflict(B::KIND, name, conflict),
    }
}

/// A version, or the current one, of an object that is not deleted.
pub(crate) fn find<'a, B: Body>(
    shelf: &'a Shelf<B>,
    name: &str,
    version: Option<&str>,
    now: i64,
) -> Result<(&'a Entry<B>, &'a Version<B>), KeyVaultError> {
    let missing = || KeyVaultError::not_found(B::KIND, &path(name, version));
    let entry = shelf.live(name, now).map_err(|_| missing())?;
    let found = match version {
        None => entry.current(),
        Some(id) => entry.version(id),
    };
    found.map(|found| (entry, found)).ok_or_else(missing)
}

/// Rejects a change of something that is part of a certificate.
pub(crate) fn check_unmanaged<B: Body>(
    shelf: &Shelf<B>,
    name: &str,
    operation: &str,
    now: i64,
) -> Result<(), KeyVaultError> {
    let current = shelf.get(name, now).and_then(Entry::current);
    if current.is_some_and(|version| version.body.is_managed()) {
        return Err(KeyVaultError::managed(B::KIND, operation));
    }
    Ok(())
}

/// Adds a version, which becomes the current one.
pub(crate) fn add<B: Body>(
    shelf: &mut Shelf<B>,
    name: &str,
    version: Version<B>,
    now: i64,
) -> Result<(), KeyVaultError> {
    shelf.add(name, version, now).map(|_| ()).map_err(|problem| conflict::<B>(name, problem))
}

/// Changes attributes and tags of a version, or of the current one. Returns that version.
pub(crate) fn change<'a, B: Body>(
    shelf: &'a mut Shelf<B>,
    name: &str,
    version: Option<&str>,
    properties: &ObjectProperties,
    now: i64,
) -> Result<&'a mut Version<B>, KeyVaultError> {
    properties.check()?;
    let entry = shelf.live_mut(name, now).map_err(|problem| conflict::<B>(name, problem))?;
    let found = entry.version_mut(version).ok_or_else(|| KeyVaultError::not_found(B::KIND, &path(name, version)))?;
    found.change(properties, now);
    Ok(found)
}

/// Shows a version, or the current one.
pub(crate) fn show<B: Body>(
    shelf: &Shelf<B>,
    name: &str,
    version: Option<&str>,
    form: Form,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let (entry, found) = find(shelf, name, version, setting.now)?;
    text(&answer(entry, found, form, setting, None))
}

/// `GET /COLLECTION/NAME[/VERSION]`.
pub(crate) fn get<B: Body>(
    shelf: &Shelf<B>,
    name: &str,
    version: Option<&str>,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let (entry, found) = find(shelf, name, version, setting.now)?;
    match B::hides_when_disabled().filter(|_| !found.attributes.enabled) {
        Some(refusal) => Err(refusal),
        None => text(&answer(entry, found, Form::Whole, setting, None)),
    }
}

/// `DELETE /COLLECTION/NAME`.
pub(crate) fn delete<B: Body>(
    shelf: &mut Shelf<B>,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let (entry, deletion) =
        shelf.delete(name, setting.now, setting.transition, setting.kept()).map_err(|problem| match problem {
            Conflict::Deleted => KeyVaultError::not_found(B::KIND, name),
            problem => conflict::<B>(name, problem),
        })?;
    deleted(entry, deletion, Form::Bundle, setting)
}

fn deleted<B: Body>(
    entry: &Entry<B>,
    deletion: Deletion,
    form: Form,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let version = entry.current().ok_or_else(|| KeyVaultError::not_found(B::KIND, &entry.name))?;
    text(&answer(entry, version, form, setting, Some(deletion)))
}

/// `GET /deletedCOLLECTION/NAME`.
pub(crate) fn get_deleted<B: Body>(
    shelf: &Shelf<B>,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let (entry, deletion) =
        shelf.deleted(name, setting.now).map_err(|_| KeyVaultError::deleted_not_found(B::KIND, name))?;
    deleted(entry, deletion, Form::Bundle, setting)
}

/// `POST /deletedCOLLECTION/NAME/recover`.
pub(crate) fn recover<B: Body>(
    shelf: &mut Shelf<B>,
    name: &str,
    setting: &Setting<'_>,
) -> Result<String, KeyVaultError> {
    let entry =
        shelf.recover(name, setting.now, setting.transition).map_err(|problem| deleted_conflict::<B>(name, problem))?;
    let version = entry.current().ok_or_else(|| KeyVaultError::not_found(B::KIND, name))?;
    text(&answer(entry, version, Form::Bundle, setting, None))
}

/// `DELETE /deletedCOLLECTION/NAME`.
pub(crate) fn purge<B: Body>(shelf: &mut Shelf<B>, name: &str, setting: &Setting<'_>) -> Result<(), KeyVaultError> {
    if setting.recovery.purge_protection {
        shelf.deleted(name, setting.now).map_err(|problem| deleted_conflict::<B>(name, problem))?;
        return Err(KeyVaultError::forbidden(
            "ForbiddenByPolicy",
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault.",
        ));
    }
    shelf.purge(name, setting.now).map_err(|problem| deleted_conflict::<B>(name, problem))
}

/// `GET /COLLECTION`: `link` turns the next page's token into its address.
pub(crate) fn list<B: Body>(
    shelf: &Shelf<B>,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Result<String, KeyVaultError> {
    let items = shelf
        .live_after(request.after.as_deref(), setting.now)
        .filter_map(|entry| Some((entry.name.clone(), answer(entry, entry.current()?, Form::Item, setting, None))));
    text(&page(items, request.size, link))
}

/// `GET /deletedCOLLECTION`.
pub(crate) fn list_deleted<B: Body>(
    shelf: &Shelf<B>,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Result<String, KeyVaultError> {
    let items = shelf.deleted_after(request.after.as_deref(), setting.now).filter_map(|(entry, deletion)| {
        Some((entry.name.clone(), answer(entry, entry.current()?, Form::Item, setting, Some(deletion))))
    });
    text(&page(items, request.size, link))
}

/// `GET /COLLECTION/NAME/versions`: sorted by ID, which is unrelated to age.
pub(crate) fn list_versions<B: Body>(
    shelf: &Shelf<B>,
    name: &str,
    request: &PageRequest,
    setting: &Setting<'_>,
    link: impl FnOnce(&str) -> String,
) -> Result<String, KeyVaultError> {
    let (entry, _) = find(shelf, name, None, setting.now)?;
    let mut versions: Vec<_> =
        entry.versions().iter().filter(|version| request.after.as_ref().is_none_or(|id| version.id > *id)).collect();
    versions.sort_by(|left, right| left.id.cmp(&right.id));
    let items = versions
        .into_iter()
        .map(|version| (version.id.clone(), answer(entry, version, Form::VersionItem, setting, None)));
    text(&page(items, request.size, link))
}
