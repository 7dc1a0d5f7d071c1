//! Which objects are refreshed.

use clap::{ArgGroup, Args};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::batch::Batch;
use super::error::Error;
use super::kinds::Refreshable as _;
use super::outcome::{Outcome, Outcomes};
use crate::api::v1::external_secret::{RefreshPolicy, controlling_cluster_external_secret};
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret, controlling_cluster_push_secret};
use crate::cli::person::Cluster;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::{self, Named};
use crate::cli::person::overview::Overview;
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::pushes::PushOverview;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// How many objects that another made are read concurrently.
const CONCURRENCY: usize = 16;

/// Which objects are meant.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["selector", "all"])))]
pub(super) struct ChoiceArguments {
    /// Only these: NAME or es/NAME for ExternalSecrets, ces/NAME, ps/NAME, cps/NAME, store/NAME, css/NAME; with --all or
    /// --selector kinds, such as pushsecrets or stores
    #[arg(value_name = "NAME", required_unless_present = "which")]
    names: Vec<String>,
    /// Those with these labels: ExternalSecrets, or the named kinds
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// All in the namespace: ExternalSecrets, or the named kinds
    #[arg(long)]
    all: bool,
    /// With --selector or --all: in all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace", requires = "which")]
    all_namespaces: bool,
    /// With --selector or --all: only ExternalSecrets and PushSecrets that use this store, store/NAME or css/NAME
    #[arg(long, value_name = "KIND/NAME", requires = "which")]
    store: Option<String>,
}

/// What the arguments choose.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// These objects.
    Named(Vec<Named>),
    /// Those of these kinds, of one store if it is given.
    Kinds(Vec<Kind>, Option<StoreKey>),
}

impl ChoiceArguments {
    fn choice(&self, namespace: &str) -> Result<Choice, Error> {
        if !self.all && self.selector.is_none() {
            if let Some(kind) = self.names.iter().find(|name| !Kind::of_plural(name).is_empty()) {
                return Err(Error::WholeKind(kind.clone()));
            }
            let named = self.names.iter().map(|name| names::named(name, namespace));
            return Ok(Choice::Named(named.collect::<Result<_, _>>()?));
        }
        let mut kinds = Vec::new();
        for word in &self.names {
            let of_word = Some(Kind::of_plural(word)).filter(|kinds| !kinds.is_empty());
            let of_word = of_word.or_else(|| Kind::of(word).map(|kind| vec![kind]));
            kinds.extend(of_word.ok_or_else(|| Error::NotAKind(word.clone()))?);
        }
        if kinds.is_empty() {
            kinds.push(Kind::ExternalSecret);
        }
        let store = self.store.as_deref().map(|store| names::store(store, namespace)).transpose()?;
        let without = kinds.iter().find(|kind| !matches!(kind, Kind::ExternalSecret | Kind::PushSecret));
        match (store, without) {
            (Some(_), Some(kind)) => Err(Error::NoStores(kind.name())),
            (store, _) => Ok(Choice::Kinds(kinds, store)),
        }
    }
}

/// The objects to refresh, of each kind.
pub(super) struct Chosen {
    pub(super) external_secrets: Batch<ExternalSecret>,
    pub(super) cluster_external_secrets: Batch<ClusterExternalSecret>,
    pub(super) push_secrets: Batch<PushSecret>,
    pub(super) cluster_push_secrets: Batch<ClusterPushSecret>,
    pub(super) secret_stores: Batch<SecretStore>,
    pub(super) cluster_secret_stores: Batch<SecretStore>,
    /// What is known already: of those that do not exist, and of those that are not refreshed.
    pub(super) outcomes: Outcomes,
}

impl Chosen {
    /// What the arguments choose, with what chosen objects make in their namespaces.
    pub(super) async fn of(arguments: &ChoiceArguments, cluster: &Cluster, namespace: &str) -> Result<Self, Error> {
        let version = cluster.version;
        let of_stores = |kind| Batch::new(Kind::Store(kind), cluster.store_type(kind));
        let mut chosen = Self {
            external_secrets: Batch::new(Kind::ExternalSecret, version),
            cluster_external_secrets: Batch::new(Kind::ClusterExternalSecret, version),
            push_secrets: Batch::new(Kind::PushSecret, ()),
            cluster_push_secrets: Batch::new(Kind::ClusterPushSecret, ()),
            secret_stores: of_stores(StoreKind::SecretStore),
            cluster_secret_stores: of_stores(StoreKind::ClusterSecretStore),
            outcomes: Outcomes::new(),
        };
        match arguments.choice(namespace)? {
            Choice::Named(names) => {
                for named in names {
                    if !chosen.add_named(cluster, &named).await? {
                        chosen.outcomes.insert(named, Outcome::failed("it does not exist"));
                    }
                }
            }
            Choice::Kinds(kinds, store) => {
                let scope = (!arguments.all_namespaces).then_some(namespace);
                for kind in kinds {
                    chosen.add_kind(cluster, kind, scope, arguments.selector.as_deref()).await?;
                }
                if let Some(store) = store {
                    chosen.keep_users_of(&store);
                }
            }
        }
        chosen.add_children(cluster).await?;
        chosen.leave_out_what_is_synced_once();
        Ok(chosen)
    }

    /// How many objects are refreshed.
    pub(super) fn len(&self) -> usize {
        self.external_secrets.objects.len()
            + self.cluster_external_secrets.objects.len()
            + self.push_secrets.objects.len()
            + self.cluster_push_secrets.objects.len()
            + self.secret_stores.objects.len()
            + self.cluster_secret_stores.objects.len()
    }

    /// The stores on which they depend.
    pub(super) fn stores(&self) -> std::collections::BTreeSet<StoreKey> {
        let of_external_secrets = self.external_secrets.objects.values().flat_map(ExternalSecret::stores);
        of_external_secrets.chain(self.push_secrets.objects.values().flat_map(PushSecret::stores)).collect()
    }

    /// Adds an object. Returns whether it exists.
    async fn add_named(&mut self, cluster: &Cluster, named: &Named) -> Result<bool, ApiError> {
        let Named { kind, key } = named;
        Ok(match kind {
            Kind::ExternalSecret => {
                cluster.external_secret(key).await?.map(|object| self.external_secrets.add(object)).is_some()
            }
            Kind::ClusterExternalSecret => {
                let object = cluster.cluster_external_secret(&key.name).await?;
                object.map(|object| self.cluster_external_secrets.add(object)).is_some()
            }
            Kind::PushSecret => cluster.push_secret(key).await?.map(|object| self.push_secrets.add(object)).is_some(),
            Kind::ClusterPushSecret => {
                let object = cluster.cluster_push_secret(&key.name).await?;
                object.map(|object| self.cluster_push_secrets.add(object)).is_some()
            }
            Kind::Store(kind) => {
                let store = cluster.store(&StoreKey { kind: *kind, object: key.clone() }).await?;
                store.map(|store| self.of_stores(*kind).add(SecretStore::clone(&store))).is_some()
            }
        })
    }

    fn of_stores(&mut self, kind: StoreKind) -> &mut Batch<SecretStore> {
        match kind {
            StoreKind::SecretStore => &mut self.secret_stores,
            StoreKind::ClusterSecretStore => &mut self.cluster_secret_stores,
        }
    }

    async fn add_kind(
        &mut self,
        cluster: &Cluster,
        kind: Kind,
        scope: Option<&str>,
        selector: Option<&str>,
    ) -> Result<(), ApiError> {
        match kind {
            Kind::ExternalSecret => {
                let objects = cluster.external_secrets(scope, selector).await?;
                self.external_secrets.extend(objects);
            }
            Kind::ClusterExternalSecret => {
                let objects = cluster.cluster_external_secrets(selector).await?;
                self.cluster_external_secrets.extend(objects);
            }
            Kind::PushSecret => {
                let objects = cluster.push_secrets(scope, selector).await?;
                self.push_secrets.extend(objects);
            }
            Kind::ClusterPushSecret => {
                let objects = cluster.cluster_push_secrets(selector).await?;
                self.cluster_push_secrets.extend(objects);
            }
            Kind::Store(kind) => {
                let stores = cluster.stores(kind, scope, selector).await?;
                self.of_stores(kind).extend(stores.into_iter().map(|(_, store)| store));
            }
        }
        Ok(())
    }

    /// Keeps only what uses a store.
    fn keep_users_of(&mut self, wanted: &StoreKey) {
        let now = Timestamp::now();
        // With all namespaces, each has its own store of that name.
        let uses = |stores: &[StoreKey]| {
            stores.iter().any(|store| store.kind == wanted.kind && store.object.name == wanted.object.name)
        };
        self.external_secrets.objects.retain(|_, object| uses(&Overview::of(object, now).stores));
        self.push_secrets.objects.retain(|_, object| uses(&PushOverview::of(object, now).stores));
    }

    /// Adds what the chosen ClusterExternalSecrets and ClusterPushSecrets make, according to their status. An owner
    /// reference alone proves nothing: anybody may write one.
    async fn add_children(&mut self, cluster: &Cluster) -> Result<(), ApiError> {
        let parents = self.cluster_external_secrets.objects.values().map(ParentOverview::of_external_secrets);
        for parent in parents.collect::<Vec<_>>() {
            let read = |key: ObjectKey| async move { (cluster.external_secret(&key).await, key) };
            let mut found = stream::iter(children(&parent)).map(read).buffer_unordered(CONCURRENCY);
            while let Some((object, key)) = found.next().await {
                let is_child = |object: &ExternalSecret| {
                    controlling_cluster_external_secret(&object.metadata) == Some(parent.name.as_str())
                };
                match object {
                    Ok(object) => self.external_secrets.extend(object.filter(is_child)),
                    Err(error) => self.may_not_read(Named { kind: parent.makes(), key }, error)?,
                }
            }
        }
        let parents = self.cluster_push_secrets.objects.values();
        let parents = parents.map(|parent| (parent.metadata.uid.clone(), ParentOverview::of_push_secrets(parent)));
        for (uid, parent) in parents.collect::<Vec<_>>() {
            let read = |key: ObjectKey| async move { (cluster.push_secret(&key).await, key) };
            let mut found = stream::iter(children(&parent)).map(read).buffer_unordered(CONCURRENCY);
            while let Some((object, key)) = found.next().await {
                let is_child =
                    |object: &PushSecret| controlling_cluster_push_secret(&object.metadata) == uid.as_deref();
                match object {
                    Ok(object) => self.push_secrets.extend(object.filter(is_child)),
                    Err(error) => self.may_not_read(Named { kind: parent.makes(), key }, error)?,
                }
            }
        }
        Ok(())
    }

    /// Notes that an object may not be read, which is no reason to leave the others alone.
    fn may_not_read(&mut self, named: Named, error: ApiError) -> Result<(), ApiError> {
        if error.code() != Some(403) {
            return Err(error);
        }
        self.outcomes.insert(named, Outcome::failed(format!("the right to read it is missing: {}", error.reason())));
        Ok(())
    }

    fn leave_out_what_is_synced_once(&mut self) {
        let outcomes = &mut self.outcomes;
        self.external_secrets.objects.retain(|key, object| {
            let is_left = is_created_once(object);
            if is_left {
                let why = "refreshPolicy CreatedOnce: the controller does not read it again";
                outcomes.insert(Named { kind: Kind::ExternalSecret, key: key.clone() }, Outcome::skipped(why));
            }
            !is_left
        });
    }
}

/// What an object makes, according to its status.
fn children(parent: &ParentOverview) -> Vec<ObjectKey> {
    parent.provisioned.iter().map(|namespace| ObjectKey::new(namespace, &parent.child)).collect()
}

fn is_created_once(object: &ExternalSecret) -> bool {
    let policy = object.spec.get().ok().and_then(|spec| spec.refresh_policy);
    let was_synced = object.status.as_ref().is_some_and(|status| status.refresh_time.is_some());
    policy == Some(RefreshPolicy::CreatedOnce) && was_synced
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        choice: ChoiceArguments,
        #[arg(short, long)]
        namespace: Option<String>,
    }

    fn choice(line: &str) -> Result<Choice, String> {
        let words = std::iter::once("refresh").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.choice.choice("shop").map_err(|error| error.to_string())
    }

    #[test]
    fn objects_are_named_and_kinds_are_chosen_with_all_or_a_selector() {
        let named = [Named::new(Kind::ExternalSecret, "shop", "db"), Named::new(Kind::ClusterPushSecret, "", "all")];
        assert_eq!(choice("db cps/all"), Ok(Choice::Named(named.to_vec())));
        assert_eq!(choice("--all"), Ok(Choice::Kinds(vec![Kind::ExternalSecret], None)));
        let both = vec![Kind::PushSecret, Kind::ExternalSecret];
        assert_eq!(choice("pushsecrets es -l a=b -A"), Ok(Choice::Kinds(both, None)));
        let Ok(Choice::Kinds(stores, None)) = choice("stores --all") else { panic!("stores are two kinds") };
        assert_eq!(stores.len(), 2);
        let store = names::store("css/azure", "shop").unwrap();
        assert_eq!(choice("ps --all --store css/azure"), Ok(Choice::Kinds(vec![Kind::PushSecret], Some(store))));
    }

    #[test]
    fn a_choice_that_means_nothing_is_refused_with_what_would() {
        let refused = |line| choice(line).unwrap_err();
        assert!(refused("").contains("<NAME>"));
        assert!(refused("pushsecrets").contains("pass --all"));
        assert!(refused("db --all").contains("is not a kind"));
        assert!(refused("pod/db").contains("cps/NAME of a ClusterPushSecret"));
        assert!(refused("stores --all --store css/azure").contains("no SecretStore"));
        assert!(refused("db -A").contains("--selector") && refused("--all -l a=b").contains("cannot be used with"));
    }
}
