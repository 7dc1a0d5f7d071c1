//! The watches of ExternalSecrets, of the Secrets that they write, and of the objects that their templates come from.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::index::{TemplateSource, TemplateSourceKind};
use super::state::State;
use super::target_kinds::TargetKinds;
use crate::answers::MetadataOf;
use crate::api::v1::ExternalSecret;
use crate::api::{LABEL_MANAGED, LABEL_MANAGED_VALUE, ServedVersion};
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::process_hash::process_hash;
use crate::controller::core::watch::{self, Change, News, Watched, strip_metadata};
use crate::controller::core::watching::Watching;
use crate::runtime::metrics::Metrics;

/// Watches ExternalSecrets. `others` is called with each change after the controller of ExternalSecrets has handled it.
pub(crate) fn external_secrets(
    watching: &Watching,
    version: ServedVersion,
    state: &Arc<State>,
    target_kinds: &Arc<TargetKinds>,
    metrics: Metrics,
    mut others: impl FnMut(Change<'_, ExternalSecret>) + Send + 'static,
) -> Store<ExternalSecret> {
    let (state, target_kinds) = (Arc::clone(state), Arc::clone(target_kinds));
    let on_change = move |change: Change<'_, ExternalSecret>| {
        match change {
            Change::Applied(object) => state.applied(object),
            Change::Deleted(object) => {
                let key = ObjectKey::of(&object.metadata);
                state.deleted(&key);
                target_kinds.release(&state.index);
                metrics.external_secrets().deleted(&key.namespace, &key.name);
            }
        }
        others(change);
    };
    let watch = watching.ours(ExternalSecret::PLURAL, &version);
    watch::objects(watch, version, |object| strip_metadata(&mut object.metadata), on_change)
}

/// Watches the target Secrets, without their content.
pub(crate) fn secrets(watching: &Watching, state: &Arc<State>) -> Store<MetadataOf<Secret>> {
    let state = Arc::clone(state);
    let config = watcher::Config::default().labels(&format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}"));
    let on_change = move |change: Change<'_, MetadataOf<Secret>>| match change {
        Change::Applied(secret) => {
            state.target_changed(None, &secret.metadata, Some(&ObjectVersion::of(&secret.metadata)));
        }
        Change::Deleted(secret) => state.target_changed(None, &secret.metadata, None),
    };
    let strip = |secret: &mut MetadataOf<Secret>| {
        strip_metadata(&mut secret.metadata);
        // Everything else that is needed is read from the Secret itself.
        secret.metadata.labels = None;
        secret.metadata.annotations = None;
        secret.metadata.owner_references = None;
    };
    watch::objects(watching.namespaced("secrets", config), (), strip, on_change)
}

/// Watches ConfigMaps and Secrets with templates, from the time when an ExternalSecret first uses one. Nothing of them
/// is kept.
pub(crate) fn template_sources(watching: &Watching, state: &Arc<State>) {
    templates_in::<ConfigMap>(TemplateSourceKind::ConfigMap, watching, state);
    templates_in::<Secret>(TemplateSourceKind::Secret, watching, state);
}

fn templates_in<K>(kind: TemplateSourceKind, watching: &Watching, state: &Arc<State>)
where
    MetadataOf<K>: Watched + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let (wanted, state) = (state.templates_used.clone(), Arc::clone(state));
    let changed = move |state: &State, object: &MetadataOf<K>, version: Option<ObjectVersion>| {
        let source = TemplateSource { kind, object: ObjectKey::of(object.meta()) };
        state.template_source_changed(&source, version.as_ref());
    };
    let mut listed = HashSet::new();
    let on_news = move |news: News<'_, MetadataOf<K>>| match news {
        News::Listing => listed.clear(),
        News::Listed(object) => {
            listed.insert(process_hash(ObjectKey::of(object.meta())));
            changed(&state, object, Some(ObjectVersion::of(object.meta())));
        }
        News::ListedAll => state.template_sources_listed(kind, &std::mem::take(&mut listed)),
        News::Applied(object) => changed(&state, object, Some(ObjectVersion::of(object.meta()))),
        News::Deleted(object) => changed(&state, object, None),
    };
    let name = match kind {
        TemplateSourceKind::ConfigMap => "configmaps with templates",
        TemplateSourceKind::Secret => "secrets with templates",
    };
    // Its health is monitored only from the time when it starts.
    let watching = watching.clone();
    watch::versions(move || watching.namespaced(name, watcher::Config::default()), wanted, on_news);
}
