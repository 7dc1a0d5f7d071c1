//! What `get` shows of an object of each kind.

use jiff::Timestamp;
use serde_json::json;

use super::row::{Column, Row};
use crate::api::v1::condition::READY;
use crate::api::v1::{ClusterExternalSecret, ConditionStatus, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::harmless;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::cli::person::overview::{Overview, ready_word};
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::printing::ago;
use crate::cli::person::pushes::PushOverview;
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

fn since(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map(|since| ago(since, now)).unwrap_or_default()
}

pub(super) fn external_secret(object: &ExternalSecret, now: Timestamp) -> Row {
    let overview = Overview::of(object, now);
    Row {
        cells: vec![
            Column::STORE.cell(overview.store()),
            Column::TARGET.cell(overview.target.clone()),
            Column::READY.cell(overview.ready_word().to_owned()),
            Column::SINCE_IF_WIDE.cell(since(overview.since, now)),
            Column::SYNCED.cell(overview.synced(now)),
            Column::NEXT.cell(overview.next.in_words(now)),
            Column::CAUSE.cell(overview.cause.clone().unwrap_or_default()),
            Column::SAYS.cell(overview.says()),
        ],
        document: overview.document(),
        named: Named { kind: Kind::ExternalSecret, key: overview.key },
        stores: overview.stores,
        is_ready: overview.ready == Some(ConditionStatus::True) && overview.is_observed,
        is_stale: overview.is_stale,
        cause: overview.cause,
    }
}

pub(super) fn push_secret(object: &PushSecret, now: Timestamp) -> Row {
    let overview = PushOverview::of(object, now);
    Row {
        cells: vec![
            Column::STORE.cell(overview.store()),
            Column::OBJECTS.cell(overview.objects.to_string()),
            Column::READY.cell(ready_word(overview.state.ready).to_owned()),
            Column::SINCE_IF_WIDE.cell(since(overview.state.since, now)),
            Column::PUSHED.cell(overview.pushed(now)),
            Column::NEXT.cell(overview.next.in_words(now)),
            Column::SAYS.cell(overview.says()),
        ],
        document: overview.document(),
        is_ready: overview.state.is_ready(),
        named: Named { kind: Kind::PushSecret, key: overview.key },
        stores: overview.stores,
        is_stale: overview.is_stale,
        cause: overview.state.cause,
    }
}

pub(super) fn cluster_external_secret(object: &ClusterExternalSecret, now: Timestamp) -> Row {
    parent(ParentOverview::of_external_secrets(object), now)
}

pub(super) fn cluster_push_secret(object: &ClusterPushSecret, now: Timestamp) -> Row {
    parent(ParentOverview::of_push_secrets(object), now)
}

fn parent(overview: ParentOverview, now: Timestamp) -> Row {
    let namespaces = match overview.failed.len() {
        0 => overview.provisioned.len().to_string(),
        failed => format!("{} of {}", overview.provisioned.len(), overview.provisioned.len() + failed),
    };
    Row {
        cells: vec![
            Column::NAMESPACES.cell(namespaces),
            Column::READY.cell(ready_word(overview.state.ready).to_owned()),
            Column::SINCE.cell(since(overview.state.since, now)),
            Column::SAYS.cell(overview.says()),
        ],
        document: overview.document(),
        is_ready: overview.state.is_ready(),
        named: Named::new(overview.kind, "", &overview.name),
        stores: Vec::new(),
        is_stale: false,
        cause: overview.state.cause,
    }
}

pub(super) fn store(kind: StoreKind, object: &SecretStore, now: Timestamp) -> Row {
    let key = ObjectKey::of(&object.metadata);
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions::find(conditions, READY);
    let message = match ready {
        Some(ready) => ready.message.as_deref().map(harmless::told).unwrap_or_default(),
        None => "it was never validated".to_owned(),
    };
    let word = ready_word(ready.map(|ready| ready.status));
    let changed = ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0);
    Row {
        document: json!({
            "kind": kind.name(),
            "namespace": Some(&key.namespace).filter(|namespace| !namespace.is_empty()),
            "name": key.name,
            "ready": Some(word).filter(|word| !word.is_empty()),
            "since": changed.map(|since| since.to_string()),
            "message": message,
        }),
        cells: vec![
            Column::READY.cell(word.to_owned()),
            Column::SINCE.cell(since(changed, now)),
            Column::SAYS.cell(message),
        ],
        stores: vec![StoreKey { kind, object: key.clone() }],
        named: Named { kind: Kind::Store(kind), key },
        is_ready: ready.is_some_and(|ready| ready.status == ConditionStatus::True),
        is_stale: false,
        cause: None,
    }
}
