//! What the controller would do for ClusterExternalSecrets: which ExternalSecrets it would create, change and delete,
//! and where it could not.

use std::collections::{BTreeMap, BTreeSet};

use kube::Resource;

use super::action::Action;
use super::error::Error;
use super::subject::{Subject, Which, merged_metadata};
use crate::api::v1::external_secret::controlling_cluster_external_secret;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::api::{Selection, ServedVersion};
use crate::cli::inputs::Inputs;
use crate::cli::inputs::cluster::Cluster;
use crate::controller::cluster_external_secret::spec;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::sync::cluster_external_secret::step::Outcome;
use crate::sync::cluster_external_secret::{Decision, Place, Situation, Step, Wanted, decide};

/// What an object of the cluster makes in namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum Makes {
    /// A ClusterExternalSecret makes ExternalSecrets.
    #[default]
    ExternalSecrets,
    /// A ClusterPushSecret makes PushSecrets.
    PushSecrets,
}

impl Makes {
    /// The kind of what makes them.
    pub(super) const fn parent(self) -> &'static str {
        match self {
            Self::ExternalSecrets => ClusterExternalSecret::KIND,
            Self::PushSecrets => ClusterPushSecret::KIND,
        }
    }

    /// The kind of what is made.
    pub(in crate::cli) const fn child(self) -> &'static str {
        match self {
            Self::ExternalSecrets => ExternalSecret::KIND,
            Self::PushSecrets => PushSecret::KIND,
        }
    }
}

/// What would be done for one ClusterExternalSecret or ClusterPushSecret.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Parent {
    /// What it makes.
    pub(in crate::cli) makes: Makes,
    pub(in crate::cli) name: String,
    /// Why nothing would be created or changed for it.
    pub(in crate::cli) fault: Option<String>,
    /// What would be done.
    pub(in crate::cli) children: Vec<Child>,
    /// The number of namespaces that are up to date.
    pub(in crate::cli) unchanged: usize,
}

/// What would be done with one object that is made so.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Child {
    /// The object.
    pub(in crate::cli) object: ObjectKey,
    pub(in crate::cli) action: Action,
    /// The reason, if it is not obvious.
    pub(in crate::cli) why: Option<String>,
}

/// The ClusterExternalSecrets to examine, and the ExternalSecrets that they would create or change: those of the
/// manifests or, with all namespaces, those of the cluster.
pub(super) async fn parents(
    which: &Which<'_>,
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<(Vec<Parent>, Vec<Subject>), Error> {
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

/// What would be done for one ClusterExternalSecret of the cluster.
pub(in crate::cli) async fn of(
    object: &ClusterExternalSecret,
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<Parent, Error> {
    Ok(World::read(inputs, cluster).await?.parent(object, &mut Vec::new()))
}

async fn objects(which: &Which<'_>, inputs: &Inputs, cluster: &Cluster) -> Result<Vec<ClusterExternalSecret>, Error> {
    if which.is_whole_cluster() {
        return cluster.cluster_external_secrets().await.map_err(Error::Cluster);
    }
    let live = async |name: &str| cluster.cluster_external_secret(name).await;
    applied(which, &inputs.manifests.cluster_external_secrets, live).await
}

/// The manifests of the plan, with the metadata that they have after they are applied; none if the plan is not about
/// manifests. `live` reads the existing object of a name.
pub(super) async fn applied<K>(
    which: &Which<'_>,
    given: &[K],
    live: impl AsyncFn(&str) -> Result<Option<K>, ApiError>,
) -> Result<Vec<K>, Error>
where
    K: Resource + Clone,
{
    if !which.is_given {
        return Ok(Vec::new());
    }
    let is_named = |object: &&K| {
        which.names.is_empty() || object.meta().name.as_ref().is_some_and(|name| which.names.contains(name))
    };
    let mut objects = Vec::new();
    for given in given.iter().filter(is_named) {
        let mut object = given.clone();
        let name = given.meta().name.as_deref().unwrap_or_default();
        if let Some(live) = live(name).await.map_err(Error::Cluster)? {
            *object.meta_mut() = merged_metadata(given.meta(), live.meta().clone());
        }
        objects.push(object);
    }
    Ok(objects)
}

/// What is known of the cluster.
struct World {
    /// The labels of each namespace; `None` if it is being deleted.
    namespaces: BTreeMap<String, Option<BTreeMap<String, String>>>,
    external_secrets: Vec<ExternalSecret>,
    version: ServedVersion,
}

/// The labels of the namespaces of the cluster, as they would be once the manifests were applied; none where one is being deleted.
pub(super) async fn namespaces(
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<BTreeMap<String, Option<BTreeMap<String, String>>>, Error> {
    let present = cluster.namespaces().await.map_err(Error::Cluster)?;
    let mut namespaces: BTreeMap<_, _> = present
        .into_iter()
        .map(|meta| {
            let is_there = meta.deletion_timestamp.is_none();
            (meta.name.unwrap_or_default(), is_there.then(|| meta.labels.unwrap_or_default()))
        })
        .collect();
    for (name, given) in &inputs.manifests.namespaces {
        let labels = namespaces.entry(name.clone()).or_insert_with(|| Some(BTreeMap::new()));
        if let Some(labels) = labels {
            labels.extend(given.metadata.labels.clone().unwrap_or_default());
            // The API server sets this label.
            labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
        }
    }
    Ok(namespaces)
}

impl World {
    async fn read(inputs: &Inputs, cluster: &Cluster) -> Result<Self, Error> {
        Ok(Self {
            namespaces: namespaces(inputs, cluster).await?,
            external_secrets: cluster.external_secrets(None, None).await.map_err(Error::Cluster)?,
            version: cluster.version(),
        })
    }

    fn parent(&self, object: &ClusterExternalSecret, subjects: &mut Vec<Subject>) -> Parent {
        let name = object.metadata.name.clone().unwrap_or_default();
        let wanted = match object.spec.get() {
            Ok(spec) => spec,
            Err(field) => return Parent { name, fault: Some(field.to_string()), ..Parent::default() },
        };
        let fault = spec::fault(wanted).map(|fault| fault.to_string());
        let mut parent = Parent { name, fault, ..Parent::default() };
        let Ok(selection) = Selection::of(wanted) else { return parent };
        let wanted = Wanted::of(&object.metadata, wanted, self.version);
        for namespace in self.concerned(&parent.name, &selection) {
            let place = self.place(&namespace, &selection);
            if place != Place::Selected || parent.fault.is_none() {
                self.look(&namespace, place, &wanted, &mut parent, subjects);
            }
        }
        parent
    }

    /// The namespaces that are selected, and those with an ExternalSecret of this ClusterExternalSecret.
    fn concerned(&self, parent: &str, selection: &Selection) -> BTreeSet<String> {
        let selected = self
            .namespaces
            .iter()
            .filter(|(name, labels)| labels.as_ref().is_some_and(|labels| selection.selects(name, labels)));
        let children = self.external_secrets.iter().filter(|object| is_of(object, parent));
        let of_children = children.filter_map(|object| object.metadata.namespace.clone());
        selected.map(|(name, _)| name.clone()).chain(of_children).collect()
    }

    fn place(&self, namespace: &str, selection: &Selection) -> Place {
        match self.namespaces.get(namespace).and_then(Option::as_ref) {
            None => Place::Gone,
            Some(labels) if selection.selects(namespace, labels) => Place::Selected,
            Some(_) => Place::NotSelected,
        }
    }

    /// Finds out what would be done in one namespace.
    fn look(&self, namespace: &str, place: Place, wanted: &Wanted, parent: &mut Parent, subjects: &mut Vec<Subject>) {
        let there = || self.external_secrets.iter().filter(|o| o.metadata.namespace.as_deref() == Some(namespace));
        let children: Vec<_> = there().filter(|object| is_of(object, &parent.name)).collect();
        let named = there().find(|object| object.metadata.name.as_deref() == Some(wanted.name()));
        let Decision { step, outcome } =
            decide(Situation { namespace, place, wanted, named, children: &children, last: None });
        let key = ObjectKey::new(namespace, wanted.name());
        let mut add = |name: &str, action, why: Option<&str>| {
            let object = ObjectKey::new(namespace, name);
            parent.children.push(Child { object, action, why: why.map(str::to_owned) });
        };
        match (&step, outcome) {
            (_, Outcome::Failed(reason)) => add(&key.name, Action::Refuse, Some(&reason)),
            (Step::Create(object), _) => {
                add(&key.name, Action::Create, None);
                subjects.extend(subject(object));
            }
            (Step::Update(object), _) => {
                add(&key.name, Action::Update, None);
                subjects.extend(subject(object));
            }
            (Step::Delete(..) | Step::Release(_), Outcome::Provisioned) if named.is_none() => {
                add(
                    &key.name,
                    Action::Create,
                    Some("it takes over the target of the ExternalSecret with the former name"),
                );
            }
            (_, Outcome::Provisioned) => parent.unchanged += 1,
            _ => {}
        }
        for child in children {
            let name = child.metadata.name.as_deref().unwrap_or_default();
            match place {
                Place::NotSelected => add(name, Action::Delete, Some("its namespace is no longer selected")),
                Place::Selected if name != wanted.name() => add(name, Action::Delete, Some("it has a former name")),
                Place::Selected | Place::Gone => {}
            }
        }
    }
}

fn is_of(object: &ExternalSecret, parent: &str) -> bool {
    controlling_cluster_external_secret(&object.metadata) == Some(parent)
}

/// The ExternalSecret in its new form, to find out what would happen to its target.
fn subject(object: &kube::core::DynamicObject) -> Option<Subject> {
    let object: ExternalSecret = serde_json::from_value(serde_json::to_value(object).ok()?).ok()?;
    Some(Subject { object, has_new_templates: false })
}
