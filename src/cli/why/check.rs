//! `why --check`: what the controller would find now, checked with the caller's rights.

use std::sync::Arc;

use jiff::Timestamp;

use super::parent::{Failing, NAMESPACES_FAILED, NOT_READY};
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::inputs::Inputs;
use crate::cli::person::pushes::PushOverview;
use crate::cli::person::{Cluster, vaults};
use crate::cli::plan;
use crate::cli::plan::action::Action;
use crate::cli::plan::parents::Parent;
use crate::cli::preview::{AzureIdentity, Previewer};
use crate::cli::providers::ProviderArguments;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::failure::Report;
use crate::controller::options::{FloodGate, Switch};
use crate::controller::push_secret::error::Problem;
use crate::controller::push_secret::failure::{Failure, cause};
use crate::controller::push_secret::preview::{Objects, Planned, Wish, Wishes, wish};
use crate::controller::store_access::clients::{ControllerClass, StoreLookup as _};
use crate::controller::store_access::key::StoreKey;
use crate::controller::template_engines::Templates;
use crate::provider::Providers;
use crate::push::Action as Done;
use crate::sync::refresh::Reason;
use crate::template::Delimiters;

/// How many PushSecrets of its namespace are compared with one that conflicts with another.
const RIVALS: usize = 100;

/// The class of a controller without the flag.
const DEFAULT_CLASS: &str = "default";

/// What was found now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Why it would fail; `None` if it would not.
    pub(super) cause: Option<String>,
    pub(super) message: String,
}

impl Checked {
    pub(super) fn well(message: impl Into<String>) -> Self {
        Self { cause: None, message: message.into() }
    }

    pub(super) fn fails(cause: &str, message: impl Into<String>) -> Self {
        Self { cause: Some(cause.to_owned()), message: message.into() }
    }
}

/// Checks objects with the caller's rights. Writes nothing.
pub(super) struct Checker<'a> {
    cluster: &'a Cluster,
    inputs: Arc<Inputs>,
    providers: Providers,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        namespace: &str,
        identity: AzureIdentity,
        arguments: &ProviderArguments,
    ) -> Result<Self, vaults::Error> {
        let (inputs, providers) = vaults::of_person(cluster, namespace, identity, arguments)?;
        Ok(Self { cluster, inputs, providers })
    }

    fn previewer(&self) -> Previewer<'_> {
        Previewer {
            inputs: &self.inputs,
            providers: self.providers.clone(),
            templates: Templates::new(Delimiters::new("{{", "}}")),
            // A store that was not Ready may be by now.
            flood_gate: FloodGate::Open,
            version: self.cluster.version,
        }
    }

    /// Reads what an ExternalSecret reads, and finds out what would be written.
    pub(super) async fn external_secret(&self, object: &ExternalSecret) -> Checked {
        match self.previewer().preview(object, None, Reason::Changed).await {
            Ok(_) => Checked::well("it can be read and assembled now"),
            Err(error) => {
                let report = Report::of(&error, object);
                Checked::fails(report.cause, report.message(&error))
            }
        }
    }

    /// Reads what a PushSecret reads, and compares the vault with it.
    pub(super) async fn push_secret(&self, object: &PushSecret, stores: &[StoreKey]) -> Checked {
        let previewer = self.previewer();
        let class = self.class(stores).await;
        let class = ControllerClass { name: &class, secret_stores: Switch::On, cluster_secret_stores: Switch::On };
        let tools = previewer.tools(class, Switch::Off);
        let found = match wish(object, tools).await {
            Ok(found) => found,
            Err(error) => return Checked::fails(cause(&error), error.to_string()),
        };
        let mut all = Wishes::default();
        let objects = match &found {
            Wish::NotOurs => return Checked::well("its stores are of several controller classes: nothing was checked"),
            Wish::Deleted => return Checked::well("it is being deleted: nothing was checked"),
            Wish::Nothing(why) => return Checked::well(format!("there is nothing to push: {why}")),
            Wish::Objects(objects) => objects,
        };
        all.add(object, objects);
        if is_in_conflict(object) {
            for rival in self.rivals(object).await {
                if let Ok(Wish::Objects(objects)) = wish(&rival, tools).await {
                    all.add(&rival, &objects);
                }
            }
        }
        let planned = all.look(object, &found, tools).await;
        let failing = planned.iter().find_map(obstacle);
        failing.unwrap_or_else(|| Checked::well(format!("it can be pushed now: {}", counted(objects))))
    }

    /// The class of the first store that exists.
    async fn class(&self, stores: &[StoreKey]) -> String {
        for key in stores {
            let Ok(Some(store)) = self.inputs.store(key).await else { continue };
            let class = store.spec.get().ok().and_then(|spec| spec.controller.clone());
            return class.filter(|class| !class.is_empty()).unwrap_or_else(|| DEFAULT_CLASS.to_owned());
        }
        DEFAULT_CLASS.to_owned()
    }

    /// The PushSecrets of the same namespace, as far as the caller may read them.
    async fn rivals(&self, object: &PushSecret) -> Vec<PushSecret> {
        let key = ObjectKey::of(&object.metadata);
        let listed = self.cluster.push_secrets(Some(&key.namespace), None).await.unwrap_or_default();
        listed.into_iter().filter(|other| ObjectKey::of(&other.metadata) != key).take(RIVALS).collect()
    }

    /// Whether each namespace could have its ExternalSecret.
    pub(super) async fn cluster_external_secret(
        &self,
        object: &ClusterExternalSecret,
    ) -> Result<Checked, plan::error::Error> {
        let Some(read) = &self.inputs.cluster else { return Ok(Checked::well("nothing was checked")) };
        Ok(in_namespaces(&plan::parents::of(object, &self.inputs, read).await?))
    }

    /// Whether each namespace could have its PushSecret.
    pub(super) async fn cluster_push_secret(&self, object: &ClusterPushSecret) -> Result<Checked, plan::error::Error> {
        let Some(read) = &self.inputs.cluster else { return Ok(Checked::well("nothing was checked")) };
        Ok(in_namespaces(&plan::push::parents::of(object, &self.inputs, read).await?))
    }
}

impl Checker<'_> {
    /// What was found of the namespaces or, if nothing is wrong there, of what was made there and was not Ready.
    pub(super) async fn whole(&self, namespaces: Checked, failing: &Failing) -> Checked {
        match namespaces.cause {
            Some(_) => namespaces,
            None => self.made(failing).await.unwrap_or(namespaces),
        }
    }

    async fn made(&self, failing: &Failing) -> Option<Checked> {
        match failing {
            Failing::ExternalSecrets(objects) => {
                for object in objects {
                    let checked = self.external_secret(object).await;
                    if checked.cause.is_some() {
                        return Some(of_child(&ObjectKey::of(&object.metadata), checked));
                    }
                }
            }
            Failing::PushSecrets(objects) => {
                for object in objects {
                    let stores = PushOverview::of(object, Timestamp::now()).stores;
                    let checked = self.push_secret(object, &stores).await;
                    if checked.cause.is_some() {
                        return Some(of_child(&ObjectKey::of(&object.metadata), checked));
                    }
                }
            }
        }
        None
    }
}

fn of_child(key: &ObjectKey, checked: Checked) -> Checked {
    let cause = checked.cause.filter(|cause| !cause.is_empty()).map(|cause| format!("{cause}: ")).unwrap_or_default();
    Checked::fails(NOT_READY, format!("{key}: {cause}{}", checked.message))
}

/// What hinders the push of an object.
fn obstacle(object: &Planned) -> Option<Checked> {
    let (cause, why) = match &object.action {
        Err(obstacle) => (obstacle.cause, obstacle.message.clone()),
        Ok(Done::Refuse(refusal)) => (Failure::Refused.report().cause, Problem::Refused(*refusal).to_string()),
        Ok(_) => return None,
    };
    Some(Checked::fails(cause, format!("{:?} of {}: {why}", object.remote_key, object.store)))
}

fn is_in_conflict(object: &PushSecret) -> bool {
    let cause = object.status.as_ref().and_then(|status| status.cause.as_deref());
    cause == Some(Failure::Conflict.report().cause)
}

fn counted(objects: &Objects) -> String {
    match objects.each().count() {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}

/// What would hinder an object in its namespaces.
fn in_namespaces(parent: &Parent) -> Checked {
    if let Some(fault) = &parent.fault {
        return Checked::fails("InvalidSpec", fault.as_str());
    }
    let mut refused = parent.children.iter().filter(|child| child.action == Action::Refuse);
    let Some(first) = refused.next() else {
        return Checked::well(format!("each of its namespaces can have its {}", parent.makes.child()));
    };
    let why = first.why.as_deref().unwrap_or_default();
    let more = match refused.count() {
        0 => String::new(),
        more => format!("; and {more} more namespaces"),
    };
    Checked::fails(NAMESPACES_FAILED, format!("namespace {}: {why}{more}", first.object.namespace))
}
