//! What the controller would do for ClusterPushSecrets: which PushSecrets it would create, change and delete, and where it could not.

use std::collections::BTreeMap;

use super::subject::applied;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::inputs::Inputs;
use crate::cli::inputs::cluster::Cluster;
use crate::cli::plan::action::Action;
use crate::cli::plan::error::Error;
use crate::cli::plan::parents::{self, Child, Makes, Parent, namespaces};
use crate::cli::plan::subject::Which;
use crate::controller::cluster_push_secret::preview::{Made, Template};
use crate::controller::core::key::ObjectKey;

/// The ClusterPushSecrets of the plan, and the PushSecrets that they would create or change: those of the manifests, or with all
/// namespaces those of the cluster.
pub(in crate::cli::plan) async fn parents(
    which: &Which<'_>,
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<(Vec<Parent>, Vec<PushSecret>), Error> {
    let mut objects = objects(which, inputs, cluster).await?;
    if objects.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    objects.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    let world = World::read(inputs, cluster).await?;
    let mut subjects = Vec::new();
    let parents = objects.iter().map(|object| world.parent(object, &mut subjects)).collect();
    Ok((parents, subjects))
}

/// What would be done for one ClusterPushSecret of the cluster.
pub(in crate::cli) async fn of(
    object: &ClusterPushSecret,
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<Parent, Error> {
    Ok(World::read(inputs, cluster).await?.parent(object, &mut Vec::new()))
}

async fn objects(which: &Which<'_>, inputs: &Inputs, cluster: &Cluster) -> Result<Vec<ClusterPushSecret>, Error> {
    if which.is_whole_cluster() {
        return match cluster.cluster_push_secrets().await {
            Err(error) if error.code() == Some(403) => Ok(Vec::new()),
            listed => listed.map_err(Error::Cluster),
        };
    }
    let live = async |name: &str| cluster.cluster_push_secret(name).await;
    parents::applied(which, &inputs.manifests.cluster_push_secrets, live).await
}

/// The state of the cluster.
struct World {
    /// The labels of each namespace, without those that are being deleted.
    namespaces: BTreeMap<String, Option<BTreeMap<String, String>>>,
    push_secrets: Vec<PushSecret>,
}

impl World {
    async fn read(inputs: &Inputs, cluster: &Cluster) -> Result<Self, Error> {
        Ok(Self {
            namespaces: namespaces(inputs, cluster).await?,
            push_secrets: cluster.push_secrets(None, None).await.map_err(Error::Cluster)?,
        })
    }

    fn parent(&self, object: &ClusterPushSecret, subjects: &mut Vec<PushSecret>) -> Parent {
        let name = object.metadata.name.clone().unwrap_or_default();
        let mut parent = Parent { makes: Makes::PushSecrets, name, ..Parent::default() };
        let template = match Template::of(object) {
            Ok(template) => template,
            Err(fault) => {
                parent.fault = Some(fault);
                return parent;
            }
        };
        for (namespace, labels) in &self.namespaces {
            let place = ObjectKey::new(namespace, template.name());
            let named = self.push_secrets.iter().find(|object| ObjectKey::of(&object.metadata) == place);
            if labels.as_ref().is_some_and(|labels| template.selects(namespace, labels)) {
                look(place, named, &template, &mut parent, subjects);
            }
        }
        for child in self.push_secrets.iter().filter(|child| template.owns(child)) {
            let key = ObjectKey::of(&child.metadata);
            let why = match self.namespaces.get(&key.namespace) {
                Some(Some(labels)) if !template.selects(&key.namespace, labels) => {
                    "its namespace is not selected any more"
                }
                Some(Some(_)) if key.name != template.name() => {
                    "it has a former name; it goes when the new one has pushed"
                }
                _ => continue,
            };
            parent.children.push(Child { object: key, action: Action::Delete, why: Some(why.to_owned()) });
        }
        parent
    }
}

/// The action in a selected namespace.
fn look(
    place: ObjectKey,
    named: Option<&PushSecret>,
    template: &Template,
    parent: &mut Parent,
    subjects: &mut Vec<PushSecret>,
) {
    let (action, why) = match template.made(named) {
        Made::Same => return parent.unchanged += 1,
        Made::Taken => (Action::Refuse, Some("push secret already exists in namespace".to_owned())),
        Made::New => (Action::Create, None),
        Made::Changed => (Action::Update, None),
    };
    if action != Action::Refuse
        && let Some(object) = template.object(&place.namespace)
    {
        subjects.push(applied(&object, named.cloned()));
    }
    parent.children.push(Child { object: place, action, why });
}
