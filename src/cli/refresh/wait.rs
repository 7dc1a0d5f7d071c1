//! Waits until the controller has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{StreamExt as _, pin_mut};
use jiff::Timestamp;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource as _};
use tokio::sync::mpsc::UnboundedSender;

use super::ask;
use super::batch::Batch;
use super::kinds::Refreshable;
use super::outcome::{Outcome, Result};
use super::secrets::Before;
use crate::answers::Seen;
use crate::api::ANNOTATION_REFRESH;
use crate::cli::person::lease::Lease;
use crate::cli::person::names::Named;
use crate::cli::person::printing::note;
use crate::controller::core::key::ObjectKey;
use crate::sync::hash;

/// After how long without an answer to look whether a controller leads.
const PATIENCE: Duration = Duration::from_secs(5);

/// The message for one that was not answered in time.
const IN_VAIN: &str = "the controller has not answered; `external-secrets doctor` says whether one runs";
/// That the result cannot be known, with ESO's CRDs.
const NOT_KEPT: &str = "the CRD of its kind keeps no `status.lastHandledRefresh`, so the result cannot be told";
/// That only success can be known, with ESO's CRDs.
const ONLY_SUCCESS: &str = "the CRD of its kind keeps no `status.lastHandledRefresh`, so a failure cannot be told from an answer that is still to come";

/// How long, and for what, to wait.
#[derive(Clone, Copy)]
pub(super) struct Wait<'a> {
    pub(super) client: &'a Client,
    /// The value of the annotation.
    pub(super) token: &'a str,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
}

impl Wait<'_> {
    /// Requests the refresh of each, and waits until all are answered. Sends the result of each when it is known.
    pub(super) async fn answers<K: Refreshable>(self, batch: &Batch<K>, results: &UnboundedSender<(Named, Outcome)>) {
        if batch.objects.is_empty() {
            return;
        }
        let before = Before::of(self.client, batch).await;
        let mut events = watched(self.client, batch);
        let asked = ask::each(self.client, batch, self.token).fuse();
        pin_mut!(asked);
        let mut waiting: BTreeMap<ObjectKey, Waiting<'_, K>> =
            batch.objects.iter().map(|(key, object)| (key.clone(), Waiting { object, says: None })).collect();
        while !waiting.is_empty() {
            let ended = tokio::select! {
                biased;
                Some((key, result)) = asked.next() => match (result, waiting.get(&key)) {
                    (Err(error), _) => Some((key, Outcome::failed(ask::refused(&error)))),
                    (Ok(()), Some(one)) if !one.object.reported().can_be_told() => {
                        Some((key, Outcome::not_told(NOT_KEPT)))
                    }
                    (Ok(()), _) => None,
                },
                event = events.next() => event.and_then(|event| answered(batch, event, self.token, &mut waiting)),
                () = tokio::time::sleep_until(self.deadline.into()) => break,
            };
            let Some((key, outcome)) = ended else { continue };
            let Some(one) = waiting.remove(&key) else { continue };
            let mut outcome = outcome.after(self.began.elapsed());
            if outcome.result == Result::Refreshed {
                outcome.secret_changed = before.has_changed(self.client, &key, one.object).await;
            }
            // The receiver is gone only if nobody wants to know.
            let _ = results.send((batch.named(&key), outcome));
        }
        for (key, one) in waiting {
            let message =
                one.says.map_or_else(|| IN_VAIN.to_owned(), |says| format!("{ONLY_SUCCESS}; it says: {says}"));
            let _ = results.send((batch.named(&key), Outcome::in_vain(message)));
        }
    }
}

/// An object whose refresh was requested.
struct Waiting<'a, K> {
    /// As it was before.
    object: &'a K,
    /// What it said last, if failures cannot be recognized.
    says: Option<String>,
}

type Events<K> = BoxStream<'static, watcher::Result<watcher::Event<Seen<K>>>>;

/// The changes of these objects from now on, and of others in their namespaces.
fn watched<K: Refreshable>(client: &Client, batch: &Batch<K>) -> Events<K> {
    let namespaces: BTreeSet<_> = batch.objects.keys().map(|key| key.namespace.as_str()).collect();
    let api: Api<Seen<K>> = match namespaces.first().filter(|namespace| namespaces.len() == 1 && !namespace.is_empty())
    {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &batch.dyntype),
        None => Api::all_with(client.clone(), &batch.dyntype),
    };
    let mut names = batch.objects.keys().map(|key| key.name.as_str());
    let config = match (names.next(), names.next()) {
        (Some(only), None) => watcher::Config::default().fields(&format!("metadata.name={only}")),
        _ => watcher::Config::default(),
    };
    watcher(api, config).default_backoff().boxed()
}

/// Which pending refresh an event answers, and its result.
fn answered<K: Refreshable>(
    batch: &Batch<K>,
    event: watcher::Result<watcher::Event<Seen<K>>>,
    token: &str,
    waiting: &mut BTreeMap<ObjectKey, Waiting<'_, K>>,
) -> Option<(ObjectKey, Outcome)> {
    match event {
        Ok(watcher::Event::Apply(Seen::Object(object)) | watcher::Event::InitApply(Seen::Object(object))) => {
            let key = ObjectKey::of(object.meta());
            let one = waiting.get_mut(&key)?;
            if one.object.meta().uid != object.meta().uid {
                return Some((key, Outcome::failed("another object of the same name has replaced it")));
            }
            if is_answered(&object, token) {
                return Some((key, object.outcome()));
            }
            one.says = (!object.reported().is_kept()).then(|| object.outcome().message);
            None
        }
        Ok(watcher::Event::Delete(object)) => Some((ObjectKey::of(object.meta()), Outcome::failed("it was deleted"))),
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status)),
        ) if status.code == 403 => {
            let plural = batch.kind.plural();
            note(&format!("external-secrets: the right to watch {plural} is missing: {}", status.message));
            None
        }
        _ => None,
    }
}

/// Whether the controller has answered this refresh or a later one.
fn is_answered<K: Refreshable>(object: &K, token: &str) -> bool {
    let is_ours_or_later = |text: &str| {
        text == token
            || text.parse::<Timestamp>().ok().zip(token.parse().ok()).is_some_and(|(text, token)| text >= token)
    };
    let reported = object.reported();
    if reported.handled.is_some_and(is_ours_or_later) {
        return true;
    }
    // ESO records only successful syncs, in a hash that includes the annotation.
    let meta = object.meta();
    let is_asked = meta
        .annotations
        .as_ref()
        .and_then(|all| all.get(ANNOTATION_REFRESH))
        .is_some_and(|text| is_ours_or_later(text));
    let is_synced = reported.synced == Some(hash::synced_resource_version(meta).as_str());
    is_asked && is_synced && reported.is_ready
}

/// Reports after a while that nobody will answer, if the lease shows that. Never ends.
pub(super) async fn say_if_nobody_leads(client: &Client) {
    tokio::time::sleep(PATIENCE).await;
    if let Ok(Some(lease)) = Lease::find(client, Timestamp::now()).await
        && lease.leader().is_none()
    {
        note(&format!("external-secrets: {}; still waiting", lease.without_leader()));
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::v1::{ExternalSecret, SecretStore};
    use crate::api::v1alpha1::PushSecret;

    const TOKEN: &str = "2026-11-30T12:00:00.000000001Z";

    fn object<K: Refreshable>(status: &Value) -> K {
        let meta = json!({"namespace": "shop", "name": "db", "annotations": {"force-sync": TOKEN}});
        serde_json::from_value(json!({"metadata": meta, "spec": {}, "status": status})).unwrap()
    }

    #[test]
    fn an_answer_to_this_or_a_later_request_ends_the_wait_whether_it_failed_or_not() {
        let answers = |text: &str| is_answered(&object::<PushSecret>(&json!({"lastHandledRefresh": text})), TOKEN);
        assert!(answers(TOKEN) && answers("2026-11-30T12:00:01Z"));
        assert!(!answers("2026-11-30T12:00:00Z") && !answers("now") && !answers(""));
    }

    #[test]
    fn with_crds_that_keep_no_answer_only_a_success_is_recognized() {
        let meta = object::<ExternalSecret>(&Value::Null).metadata;
        let synced = |ready: &str| json!({"syncedResourceVersion": hash::synced_resource_version(&meta), "conditions": [{"type": "Ready", "status": ready}]});
        assert!(is_answered(&object::<ExternalSecret>(&synced("True")), TOKEN));
        assert!(!is_answered(&object::<ExternalSecret>(&synced("False")), TOKEN));
        assert!(!is_answered(&object::<ExternalSecret>(&synced("True")), "2026-11-30T12:00:02Z"), "it is an older one");
        let store = object::<SecretStore>(&json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        assert!(!is_answered(&store, TOKEN) && !store.reported().can_be_told());
    }
}
