//! What is remembered of an ExternalSecret between passes. Its methods are events, so that fields that belong together
//! change together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::SpecFault;
use super::index::TemplateSource;
use super::made_from::MadeFrom;
use super::planning::RenderedFrom;
use super::steps::Known;
use super::templates::Originals;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{ExternalSecretStatus, ManifestReference};
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::reactions::Reactions;
use crate::controller::core::status::Ahead;
use crate::provider::ReadMark;
use crate::sync::last_write::LastWrite;
use crate::sync::refresh::{TemplatesState, TokenLife};

/// What is remembered of an ExternalSecret between passes.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// A hash of the parts of the object that matter. A watch event that does not change it causes no reconcile.
    fingerprint: u64,
    /// The result of checking the spec of a generation.
    checked: Option<Checked>,
    /// The version of the target whose content is known to be what was last written.
    verified: Option<ObjectVersion>,
    /// The version of the target that this process wrote or compared with the values.
    own: Option<ObjectVersion>,
    /// The kind of the target that was last written; `None` for a Secret.
    written_kind: Option<ManifestReference>,
    /// What was last written to a target that is not a Secret, and what the API server made of it.
    last_write: Option<LastWrite>,
    /// The last written status, until the watch shows it.
    ahead: Ahead<ExternalSecretStatus>,
    /// What the target was made from, at the verified version.
    made_from: MadeFrom,
    /// The token in the target that expires first, at the verified version.
    token: Option<TokenLife>,
    /// Whether the templates that the target was last rendered from produce a different result each time.
    is_volatile: bool,
    /// The number of periodic refreshes so far.
    refreshes: u32,
    /// What the pass that is under way looks at.
    under_way: UnderWay,
    /// The versions of the objects with templates that were last read.
    rendered_from: BTreeMap<TemplateSource, ObjectVersion>,
    /// A hash of the templates in these objects that the target was last rendered from.
    texts: Option<String>,
    /// How often one of those objects changed its version.
    template_events: u64,
    /// How many of those changes the last rendering included; never more than `template_events`.
    template_events_seen: u64,
    /// Whether the last attempt failed because the API server was unreachable or overloaded.
    awaits_api_server: bool,
    /// Failures in a row.
    failures: u32,
    /// The next change to sync. An answer to a request sent after its first attempt is fresh enough.
    asked: Option<Asked>,
    /// Since when it has been waiting for a store that was never validated.
    waiting_since: Option<Timestamp>,
    /// How often it was synced because somebody changed the target or the templates.
    reactions: Reactions,
}

/// What a pass that is under way looks at. What changes there meanwhile may matter.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    /// Objects with templates; `rendered_from` says nothing of what is read.
    templates: bool,
    generators: bool,
}

/// A change to sync.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// Its fingerprint.
    change: u64,
    at: Instant,
    /// Whether an earlier change was tried and not synced.
    is_another: bool,
}

/// The result of checking the spec of a generation.
#[derive(Clone, Debug)]
struct Checked {
    generation: Option<i64>,
    found: Result<(), SpecFault>,
}

/// What was remembered when a pass began.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    /// What decides whether a refresh is due.
    pub(crate) known: Known,
    /// The kind of the target that was last written; `None` for a Secret.
    pub(crate) written_kind: Option<ManifestReference>,
    /// Since when it has been waiting for a store that was never validated.
    pub(crate) waiting_since: Option<Timestamp>,
    checked: Option<Checked>,
}

impl Remembered {
    /// Whether this process has synced the object already.
    #[must_use]
    pub(crate) const fn was_synced(&self) -> bool {
        self.known.verified.is_some()
    }

    /// The result of checking the spec of this generation, if it was checked.
    #[must_use]
    pub(crate) fn checked(&self, generation: Option<i64>) -> Option<Result<(), SpecFault>> {
        self.checked.as_ref().filter(|checked| checked.generation == generation).map(|checked| checked.found.clone())
    }
}

impl Memo {
    /// All that a pass uses.
    #[must_use]
    pub(crate) fn remembered(&self) -> Remembered {
        let is_rendered = self.template_events == self.template_events_seen;
        Remembered {
            known: Known {
                verified: self.verified.clone(),
                own: self.own.clone(),
                last_write: self.last_write.clone(),
                templates: if is_rendered { TemplatesState::Same } else { TemplatesState::Changed },
                token: self.token,
            },
            written_kind: self.written_kind.clone(),
            waiting_since: self.waiting_since,
            checked: self.checked.clone(),
        }
    }

    /// The watch shows the object. Returns whether a part that matters has changed.
    pub(crate) fn shown(&mut self, object: &ExternalSecret) -> bool {
        self.ahead.shown(object.metadata.resource_version.as_deref());
        let fingerprint = fingerprint(object);
        std::mem::replace(&mut self.fingerprint, fingerprint) != fingerprint
    }

    /// An object with templates now has this version, or was deleted. Returns whether the target was rendered from
    /// another version, or may be: while they are read, an object may come and go.
    pub(crate) fn template_source_shown(&mut self, source: &TemplateSource, version: Option<&ObjectVersion>) -> bool {
        let has_changed = self.under_way.templates || self.rendered_from.get(source) != version;
        self.template_events += u64::from(has_changed);
        has_changed
    }

    /// Whether the target is known to have the last written content at this version.
    #[must_use]
    pub(crate) fn has_verified(&self, version: &ObjectVersion) -> bool {
        self.verified.as_ref() == Some(version)
    }

    /// The last written status, until the watch shows it.
    #[must_use]
    pub(crate) const fn ahead(&self) -> &Ahead<ExternalSecretStatus> {
        &self.ahead
    }

    /// A status was written on top of the version that the watch shows.
    pub(crate) fn status_written(&mut self, base: Option<&str>, status: &ExternalSecretStatus) {
        self.ahead.wrote(base, status);
    }

    /// The spec of a generation was checked.
    pub(crate) fn spec_checked(&mut self, generation: Option<i64>, found: Result<(), SpecFault>) {
        self.checked = Some(Checked { generation, found });
    }

    /// The target was read and has the last written content at this version. Somebody else brought it to this state, so
    /// the next refresh compares everything. `found` is what to remember of a target that is not a Secret and that this
    /// process has not written, and `texts` a hash of the templates in other objects that the target records.
    pub(crate) fn target_intact(
        &mut self,
        version: ObjectVersion,
        token: Option<TokenLife>,
        found: Option<LastWrite>,
        texts: Option<String>,
    ) {
        self.verified = Some(version);
        self.last_write = self.last_write.take().or(found);
        self.token = token;
        self.texts = texts;
        self.made_from = MadeFrom::default();
    }

    /// A periodic refresh begins. Returns the marks by which the provider can tell whether the values have changed;
    /// `None` if they must be read in any case.
    pub(crate) fn refreshes(&mut self, key: &ObjectKey, now: Timestamp) -> Option<Vec<ReadMark>> {
        self.refreshes = self.refreshes.wrapping_add(1);
        self.made_from.marks(now, key, self.refreshes).map(<[_]>::to_vec)
    }

    /// Whether these values are certainly the ones that the target was made from.
    #[must_use]
    pub(crate) fn has_same_values(&self, values: &MadeFrom) -> bool {
        self.made_from.has_same_values(values)
    }

    /// The values were read again and are the ones that the target was made from.
    pub(crate) fn values_confirmed(&mut self, values: MadeFrom) {
        self.made_from = values;
    }

    /// A rendering begins. Returns the number of changes of objects with templates that it includes.
    pub(crate) fn begin_rendering(&mut self) -> u64 {
        self.under_way.templates = true;
        self.template_events
    }

    /// The objects with templates were read in these versions. The target may not be written yet, so a version that the
    /// watch has not reported counts as a change. Returns how many changes this counts.
    pub(crate) fn templates_read(&mut self, versions: &BTreeMap<TemplateSource, ObjectVersion>) -> u64 {
        self.under_way.templates = false;
        let counted = u64::from(self.rendered_from != *versions);
        self.rendered_from.clone_from(versions);
        self.template_events += counted;
        counted
    }

    /// The versions of the objects with templates that the target was last rendered from, right after it was written.
    #[must_use]
    pub(crate) const fn rendered_from(&self) -> &BTreeMap<TemplateSource, ObjectVersion> {
        &self.rendered_from
    }

    /// The target is what its template makes, after this many changes of the objects that it comes from. `from` is
    /// what it was rendered from, if it was.
    pub(crate) fn templates_seen(&mut self, from: Option<&RenderedFrom>, events: u64) {
        self.template_events_seen = events;
        if let Some(RenderedFrom { texts, is_volatile, .. }) = from {
            self.texts.clone_from(texts);
            self.is_volatile = *is_volatile;
        }
    }

    /// The templates in other objects are those that the target was rendered from, after this many changes of these
    /// objects. Another part of them has changed.
    pub(crate) fn templates_confirmed(&mut self, originals: &Originals, events: u64) {
        self.template_events_seen = events + self.templates_read(&originals.versions);
        self.texts.clone_from(&originals.texts);
    }

    /// A hash of the templates in other objects that the target was last rendered from, if it is known.
    #[must_use]
    pub(crate) fn texts(&self) -> Option<String> {
        self.texts.clone()
    }

    /// The target now has this version, after a write or because none was needed. `write` is the result of writing a
    /// target that is not a Secret.
    pub(crate) fn target_written(&mut self, version: ObjectVersion, write: Option<LastWrite>) {
        self.own = Some(version.clone());
        self.verified = Some(version);
        self.last_write = write.or(self.last_write.take());
    }

    /// The target exists, with this kind if it is not a Secret, and was made from these values. A volatile result is
    /// made again at each refresh.
    pub(crate) fn target_left(&mut self, kind: Option<&ManifestReference>, values: MadeFrom) {
        self.written_kind = kind.cloned();
        self.made_from = if self.is_volatile { values.volatile() } else { values };
    }

    /// The target was left with this generator's token, or without one.
    pub(crate) fn token_left(&mut self, token: Option<TokenLife>) {
        self.token = token;
    }

    /// No target is left.
    pub(crate) fn target_gone(&mut self) {
        self.made_from = MadeFrom::default();
    }

    /// When the change that the object shows was first tried: now, if this is the first time.
    pub(crate) fn asked(&mut self, object: &ExternalSecret) -> Instant {
        self.change(object).at
    }

    /// Whether the object was changed after a pass that could not sync it: somebody is trying to fix it.
    pub(crate) fn is_asked_again(&mut self, object: &ExternalSecret) -> bool {
        self.change(object).is_another
    }

    fn change(&mut self, object: &ExternalSecret) -> Asked {
        let change = fingerprint(object);
        match self.asked {
            Some(asked) if asked.change == change => asked,
            before => *self.asked.insert(Asked { change, at: Instant::now(), is_another: before.is_some() }),
        }
    }

    /// A sync is due because somebody changed the target or a source of templates. Returns how long to wait if that
    /// keeps happening.
    pub(crate) fn reacts(&mut self) -> Result<(), Duration> {
        self.reactions.take(Instant::now())
    }

    /// It waits for a store that was never validated.
    pub(crate) fn waits(&mut self, now: Timestamp) {
        self.waiting_since.get_or_insert(now);
    }

    /// The pass that is under way looks at the generators as they are now.
    pub(crate) fn looks_at_generators(&mut self) {
        self.under_way.generators = true;
    }

    /// Whether a change of a generator may matter: the last attempt failed, or one that is under way may fail because of
    /// what it saw before.
    #[must_use]
    pub(crate) const fn is_concerned_by_generators(&self) -> bool {
        self.failures > 0 || self.under_way.generators
    }

    /// It was synced and waits for nothing.
    pub(crate) fn synced(&mut self) {
        self.under_way.generators = false;
        self.failures = 0;
        self.awaits_api_server = false;
        self.waiting_since = None;
        self.asked = None;
    }

    /// It could not be synced. Returns the number of failures in a row.
    pub(crate) fn failed(&mut self, is_outage_of_api_server: bool) -> u32 {
        self.under_way.generators = false;
        self.failures = self.failures.saturating_add(1);
        self.awaits_api_server = is_outage_of_api_server;
        self.failures
    }

    /// Whether the last attempt failed because the API server was unreachable or overloaded.
    #[must_use]
    pub(crate) const fn awaits_api_server(&self) -> bool {
        self.awaits_api_server
    }
}

/// A hash of the parts of an ExternalSecret whose change matters. Its status is not one of them.
#[must_use]
pub(crate) fn fingerprint(object: &ExternalSecret) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.labels, &meta.annotations, &meta.finalizers).hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::external_secret::index::TemplateSourceKind;

    #[test]
    fn changed_templates_stay_due_until_their_result_is_written() {
        let source = TemplateSource { kind: TemplateSourceKind::ConfigMap, object: ObjectKey::new("team", "texts") };
        let at = |version: &str| ObjectVersion { uid: "u".to_owned(), resource_version: version.to_owned() };
        let from = |version: &str| RenderedFrom {
            versions: BTreeMap::from([(source.clone(), at(version))]),
            texts: None,
            is_volatile: false,
        };
        let mut memo = Memo::default();
        assert!(memo.template_source_shown(&source, Some(&at("1"))));
        let mut events = memo.begin_rendering();
        events += memo.templates_read(&from("1").versions);
        assert!(!memo.template_source_shown(&source, Some(&at("1"))), "this version was read");
        assert_eq!(memo.remembered().known.templates, TemplatesState::Changed, "the write may have failed");
        memo.templates_seen(Some(&from("1")), events);
        assert_eq!(memo.remembered().known.templates, TemplatesState::Same);

        let mut events = memo.begin_rendering();
        events += memo.templates_read(&from("2").versions);
        assert!(!memo.template_source_shown(&source, Some(&at("2"))), "it was read before the watch reported it");
        assert_eq!(memo.remembered().known.templates, TemplatesState::Changed, "the write may have failed");
        memo.templates_seen(Some(&from("2")), events);
        assert_eq!(memo.remembered().known.templates, TemplatesState::Same);
    }

    #[test]
    fn templates_that_are_gone_before_the_target_is_rendered_from_them_have_changed() {
        let source = TemplateSource { kind: TemplateSourceKind::ConfigMap, object: ObjectKey::new("team", "texts") };
        let version = ObjectVersion { uid: "u".to_owned(), resource_version: "1".to_owned() };
        let mut memo = Memo::default();
        let mut events = memo.begin_rendering();
        // It was read, and is deleted before that is noted.
        assert!(memo.template_source_shown(&source, None));
        events += memo.templates_read(&BTreeMap::from([(source.clone(), version)]));
        memo.templates_seen(None, events);
        assert_eq!(memo.remembered().known.templates, TemplatesState::Changed);
    }

    #[test]
    fn a_generator_that_is_mended_while_a_pass_fails_because_of_it_is_looked_at_again() {
        let mut memo = Memo::default();
        assert!(!memo.is_concerned_by_generators());
        memo.looks_at_generators();
        assert!(memo.is_concerned_by_generators());
        memo.failed(false);
        assert!(memo.is_concerned_by_generators());
        memo.synced();
        assert!(!memo.is_concerned_by_generators());
    }
}
