//! Objects of other tools, and what uses them, from files or from a cluster.

use std::path::PathBuf;

use kube::Client;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use crate::answers::Objects;
use crate::cli::inputs::files::{self, Named};
use crate::cli::source::documents::documents;
use crate::controller::core::api_call::{ApiError, bounded};

/// How many objects a request lists.
const PAGE: u32 = 500;

/// A kind that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "so it is called in manifests")]
pub(in crate::cli::migrate) struct Kind {
    pub(super) group: &'static str,
    /// The versions in which a cluster may serve it, the newest first.
    pub(super) versions: &'static [&'static str],
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
}

/// What has Pods.
pub(super) const WORKLOADS: [Kind; 6] = [
    Kind { group: "apps", versions: &["v1"], kind: "Deployment", plural: "deployments" },
    Kind { group: "apps", versions: &["v1"], kind: "StatefulSet", plural: "statefulsets" },
    Kind { group: "apps", versions: &["v1"], kind: "DaemonSet", plural: "daemonsets" },
    Kind { group: "batch", versions: &["v1"], kind: "CronJob", plural: "cronjobs" },
    Kind { group: "batch", versions: &["v1"], kind: "Job", plural: "jobs" },
    Kind { group: "", versions: &["v1"], kind: "Pod", plural: "pods" },
];

/// An object, as it stands.
#[derive(Clone, Debug)]
pub(in crate::cli::migrate) struct Object {
    pub(super) kind: &'static str,
    pub(super) value: Value,
}

impl Object {
    /// A text at a JSON pointer; empty where there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        text(&self.value, pointer)
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// As a report names it.
    pub(super) fn described(&self) -> String {
        match self.namespace() {
            "" => format!("{} {}", self.kind, self.name()),
            namespace => format!("{} {namespace}/{}", self.kind, self.name()),
        }
    }
}

/// A text at a JSON pointer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of some kinds.
#[derive(Debug, Default)]
pub(in crate::cli::migrate) struct Found {
    pub(super) objects: Vec<Object>,
    /// What could not be read.
    pub(super) problems: Vec<String>,
}

impl Found {
    /// Those of a kind.
    pub(super) fn of_kind<'f>(&'f self, kind: &'f str) -> impl Iterator<Item = &'f Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }

    fn add(&mut self, value: &Value, kinds: &[Kind], namespace: &str) {
        if let Some(items) = value["items"].as_array().filter(|_| value["kind"] == "List") {
            return items.iter().for_each(|item| self.add(item, kinds, namespace));
        }
        let group = text(value, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
        let is_meant = |kind: &&Kind| kind.group == group && value["kind"] == kind.kind;
        let Some(kind) = kinds.iter().find(is_meant) else { return };
        let mut value = value.clone();
        if text(&value, "/metadata/namespace").is_empty() && value["metadata"].is_object() && !namespace.is_empty() {
            value["metadata"]["namespace"] = namespace.into();
        }
        self.objects.push(Object { kind: kind.kind, value });
    }
}

/// The objects of these kinds, and the workloads, in files. `namespace` is that of manifests that name none.
pub(super) fn in_files(paths: &[PathBuf], kinds: &[Kind], namespace: &str) -> Result<Found, files::Error> {
    let mut found = Found::default();
    let kinds = [kinds, &WORKLOADS].concat();
    for file in files::read(paths)? {
        for document in documents(&file.text) {
            match document {
                Ok(document) => found.add(&document.value, &kinds, namespace),
                Err(broken) => {
                    let part = file.text.get(broken.range.clone()).unwrap_or_default();
                    let is_meant = kinds.iter().any(|kind| !kind.group.is_empty() && part.contains(kind.group));
                    if file.named == Named::Itself || is_meant {
                        let (line, problem) = (broken.why.mark.line, broken.why.problem);
                        found.problems.push(format!("{}:{line}: this is not valid YAML: {problem}", file.name()));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The objects of these kinds, and the workloads, in a namespace of a cluster, or in all. What is not served is not there; workloads that may not be
/// listed are a problem.
///
/// # Errors
/// If one of the kinds themselves cannot be listed.
pub(super) async fn in_cluster(client: &Client, kinds: &[Kind], namespace: Option<&str>) -> Result<Found, ApiError> {
    let mut found = Found::default();
    for kind in kinds {
        for value in listed(client, *kind, namespace).await? {
            found.objects.push(Object { kind: kind.kind, value });
        }
    }
    for kind in WORKLOADS {
        match listed(client, kind, namespace).await {
            Ok(values) => found.objects.extend(values.into_iter().map(|value| Object { kind: kind.kind, value })),
            Err(error) => found.problems.push(format!("{} cannot be listed: {error}", kind.plural)),
        }
    }
    Ok(found)
}

async fn listed(client: &Client, kind: Kind, namespace: Option<&str>) -> Result<Vec<Value>, ApiError> {
    for version in kind.versions {
        let gvk = GroupVersionKind::gvk(kind.group, version, kind.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
        let objects: Objects<DynamicObject> = Objects::within(client.clone(), namespace, &resource);
        match bounded(objects.list_in_pages(&ListParams::default(), PAGE)).await {
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(error),
            Ok(list) => {
                let value = |object: DynamicObject| {
                    let mut value = object.data;
                    value["apiVersion"] = resource.api_version.clone().into();
                    value["kind"] = resource.kind.clone().into();
                    value["metadata"] = serde_json::to_value(object.metadata).unwrap_or_default();
                    value
                };
                return Ok(list.into_iter().map(value).collect());
            }
        }
    }
    Ok(Vec::new())
}
