//! `external-secrets get`, also `status`: how are my ExternalSecrets doing?

mod print;
mod pushes;

use std::process::ExitCode;

use clap::Args;
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::person::names::{self, Named};
use super::person::overview::Overview;
use super::person::printing::{Format, ListFormat, ListOutput, Output, note};
use super::person::pushes::{ParentOverview, PushOverview};
use super::person::{Cluster, ClusterArguments, Error};
use crate::answers::Seen;
use crate::api::v1::{ConditionStatus, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Shows ExternalSecrets or, with the name `stores`, `pushsecrets` or `clusterpushsecrets`, those: whether each is Ready,
/// when it was last synced, when it is next refreshed, and what is wrong.
///
/// Reads only these objects, with your rights. Exits with 1 if a named one does not exist.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that is true or false")]
#[derive(Args, Debug)]
pub(super) struct GetArguments {
    /// Only these: NAME or es/NAME for ExternalSecrets, ps/NAME, clusterpushsecret/NAME, store/NAME, css/NAME; or one of
    /// the words stores, pushsecrets and clusterpushsecrets, for all of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only those with these labels
    #[arg(short = 'l', long, conflicts_with = "names")]
    selector: Option<String>,
    /// Only those that are not Ready
    #[arg(long)]
    not_ready: bool,
    /// Only those whose refresh is overdue, for example because no controller runs
    #[arg(long)]
    stale: bool,
    /// Only those that are not Ready for this cause, such as `SecretNotFound`
    #[arg(long, value_name = "WORD")]
    cause: Option<String>,
    /// Only those that use this store: store/NAME, or css/NAME
    #[arg(long, value_name = "KIND/NAME")]
    store: Option<String>,
    /// Keep running, and print each ExternalSecret that changes
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    output: ListOutput,
    #[command(flatten)]
    cluster: ClusterArguments,
}

pub(super) async fn execute(arguments: &GetArguments) -> Result<ExitCode, Error> {
    let (cluster, namespace) = arguments.cluster.cluster().await?;
    let scope = (!arguments.all_namespaces).then_some(namespace.as_str());
    if arguments.names.len() == 1 && arguments.names.first().is_some_and(|name| name == "stores") {
        let mut stores = cluster.stores(StoreKind::SecretStore, scope).await?;
        stores.extend(cluster.stores(StoreKind::ClusterSecretStore, None).await?);
        return print_stores(arguments, &stores, ExitCode::SUCCESS);
    }
    let filter = Filter::of(arguments, &namespace)?;
    let asked = Asked { arguments, cluster: &cluster, scope, filter: &filter };
    match arguments.names.as_slice() {
        [word] if word == PushSecret::PLURAL => return asked.push_secrets(&[]).await,
        [word] if word == ClusterPushSecret::PLURAL => return asked.cluster_push_secrets(&[]).await,
        _ => {}
    }
    let mut keys = Vec::new();
    let mut store_keys = Vec::new();
    let (mut pushes, mut parents) = (Vec::new(), Vec::new());
    for name in &arguments.names {
        match names::named(name, &namespace)? {
            Named::ExternalSecret(key) => keys.push(key),
            Named::Store(key) => store_keys.push(key),
            Named::PushSecret(key) => pushes.push(key),
            Named::ClusterPushSecret(name) => parents.push(name),
        }
    }
    let mut code = ExitCode::SUCCESS;
    if !pushes.is_empty() {
        code = worse(code, asked.push_secrets(&pushes).await?);
    }
    if !parents.is_empty() {
        code = worse(code, asked.cluster_push_secrets(&parents).await?);
    }
    if keys.is_empty() && store_keys.is_empty() && !arguments.names.is_empty() {
        return Ok(code);
    }
    if !store_keys.is_empty() {
        let mut stores = Vec::new();
        for key in store_keys {
            match cluster.store(&key).await? {
                Some(store) => stores.push((key, (*store).clone())),
                None => code = not_there(&key.to_string()),
            }
        }
        code = print_stores(arguments, &stores, code)?;
        if keys.is_empty() {
            return Ok(code);
        }
    }
    let mut objects = Vec::new();
    if keys.is_empty() {
        objects = cluster.external_secrets(scope, arguments.selector.as_deref()).await?;
    }
    for key in &keys {
        match cluster.external_secret(key).await? {
            Some(object) => objects.push(object),
            None => code = not_there(&format!("ExternalSecret {:?} in namespace {:?}", key.name, key.namespace)),
        }
    }
    let now = Timestamp::now();
    let overviews: Vec<_> = objects.iter().map(|object| Overview::of(object, now)).collect();
    let shown: Vec<_> = overviews.into_iter().filter(|overview| filter.lets_pass(overview)).collect();
    if arguments.watch {
        return follow(arguments, &cluster, scope, &keys, &filter).await;
    }
    if shown.is_empty() && !arguments.output.is_document() && code == ExitCode::SUCCESS {
        note("no ExternalSecret matches");
    }
    arguments.output.output().print(
        || print::external_secrets(&shown, arguments.list(), arguments.all_namespaces, now),
        || print::external_secrets_document(&shown),
    )?;
    Ok(code)
}

/// What is asked for.
struct Asked<'a> {
    arguments: &'a GetArguments,
    cluster: &'a Cluster,
    scope: Option<&'a str>,
    filter: &'a Filter<'a>,
}

impl Asked<'_> {
    /// Prints these PushSecrets, or all.
    async fn push_secrets(&self, keys: &[ObjectKey]) -> Result<ExitCode, Error> {
        let Self { arguments, cluster, scope, filter } = self;
        let (mut code, now) = (ExitCode::SUCCESS, Timestamp::now());
        let mut objects = Vec::new();
        if keys.is_empty() {
            objects = cluster.push_secrets(*scope, arguments.selector.as_deref()).await?;
        }
        for key in keys {
            match cluster.push_secret(key).await? {
                Some(object) => objects.push(object),
                None => code = not_there(&format!("PushSecret {:?} in namespace {:?}", key.name, key.namespace)),
            }
        }
        let overviews = objects.iter().map(|object| PushOverview::of(object, now));
        let shown: Vec<_> = overviews.filter(|overview| filter.lets_push_pass(overview)).collect();
        if shown.is_empty() && !arguments.output.is_document() && code == ExitCode::SUCCESS {
            note("no PushSecret matches");
        }
        arguments.output.output().print(
            || pushes::push_secrets(&shown, arguments.list(), arguments.all_namespaces, now),
            || pushes::push_secrets_document(&shown),
        )?;
        Ok(code)
    }

    /// Prints these ClusterPushSecrets, or all.
    async fn cluster_push_secrets(&self, names: &[String]) -> Result<ExitCode, Error> {
        let Self { arguments, cluster, filter, .. } = self;
        let mut code = ExitCode::SUCCESS;
        let mut objects = Vec::new();
        if names.is_empty() {
            objects = cluster.cluster_push_secrets().await?;
        }
        for name in names {
            match cluster.cluster_push_secret(name).await? {
                Some(object) => objects.push(object),
                None => code = not_there(&format!("ClusterPushSecret {name:?}")),
            }
        }
        let overviews = objects.iter().map(ParentOverview::of);
        let shown: Vec<_> = overviews.filter(|overview| !filter.not_ready || !overview.state.is_ready()).collect();
        if shown.is_empty() && !arguments.output.is_document() && code == ExitCode::SUCCESS {
            note("no ClusterPushSecret matches");
        }
        arguments.output.output().print(
            || pushes::parents(&shown, arguments.list(), Timestamp::now()),
            || pushes::parents_document(&shown),
        )?;
        Ok(code)
    }
}

fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    if one == ExitCode::SUCCESS { other } else { one }
}

impl GetArguments {
    const fn list(&self) -> print::List {
        match self.output.format {
            ListFormat::Wide => print::List::Wide,
            ListFormat::Name => print::List::Names,
            ListFormat::Text | ListFormat::Json | ListFormat::Yaml => print::List::Table,
        }
    }
}

fn not_there(what: &str) -> ExitCode {
    note(&format!("external-secrets: {what} does not exist"));
    ExitCode::FAILURE
}

fn print_stores(
    arguments: &GetArguments,
    stores: &[(StoreKey, SecretStore)],
    code: ExitCode,
) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    let output = arguments.output.output();
    output.print(|| print::stores(stores, arguments.list(), now), || print::stores_document(stores))?;
    Ok(code)
}

/// Which ExternalSecrets to show.
struct Filter<'a> {
    not_ready: bool,
    stale: bool,
    cause: Option<&'a str>,
    store: Option<StoreKey>,
}

impl<'a> Filter<'a> {
    fn of(arguments: &'a GetArguments, namespace: &str) -> Result<Self, Error> {
        let store = arguments.store.as_deref().map(|store| names::store(store, namespace)).transpose()?;
        Ok(Self { not_ready: arguments.not_ready, stale: arguments.stale, cause: arguments.cause.as_deref(), store })
    }

    fn lets_pass(&self, overview: &Overview) -> bool {
        self.is_store(&overview.stores)
            && (!self.not_ready || overview.ready != Some(ConditionStatus::True) || !overview.is_observed)
            && (!self.stale || overview.is_stale)
            && self.cause.is_none_or(|cause| overview.cause.as_deref() == Some(cause))
    }

    fn lets_push_pass(&self, overview: &PushOverview) -> bool {
        self.is_store(&overview.stores)
            && (!self.not_ready || !overview.state.is_ready())
            && (!self.stale || overview.is_stale)
            && self.cause.is_none_or(|cause| overview.state.cause.as_deref() == Some(cause))
    }

    /// Whether one of these stores is the one that is asked for.
    fn is_store(&self, stores: &[StoreKey]) -> bool {
        self.store.as_ref().is_none_or(|wanted| {
            // With all namespaces, each has its own store of that name.
            stores.iter().any(|store| store.kind == wanted.kind && store.object.name == wanted.object.name)
        })
    }
}

/// Prints each ExternalSecret now and after each change, until the process ends: as lines, or as one JSON document per
/// line.
async fn follow(
    arguments: &GetArguments,
    cluster: &Cluster,
    scope: Option<&str>,
    keys: &[ObjectKey],
    filter: &Filter<'_>,
) -> Result<ExitCode, Error> {
    let api: Api<Seen<ExternalSecret>> = match scope {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &cluster.version),
        None => Api::all_with(cluster.client.clone(), &cluster.version),
    };
    let config = watcher::Config { label_selector: arguments.selector.clone(), ..watcher::Config::default() };
    let mut events = watcher(api, config).default_backoff().boxed();
    while let Some(event) = events.next().await {
        let object = match event {
            Ok(watcher::Event::Apply(Seen::Object(object)) | watcher::Event::InitApply(Seen::Object(object))) => object,
            Ok(watcher::Event::Delete(object)) => {
                note(&format!("{} was deleted", object.name_any()));
                continue;
            }
            Ok(_) => continue,
            Err(error) => {
                note(&format!("external-secrets: the watch is reopened: {error}"));
                continue;
            }
        };
        let now = Timestamp::now();
        let overview = Overview::of(&object, now);
        if (!keys.is_empty() && !keys.contains(&overview.key)) || !filter.lets_pass(&overview) {
            continue;
        }
        let document = || json!({"version": 1, "externalSecret": overview.document()});
        if arguments.output.is_document() {
            // One per line, so that a reader knows where it ends.
            let output = Output { format: Format::Text };
            output.print(|| format!("{}\n", document()), document)?;
        } else {
            let list = arguments.list();
            let text = || match list {
                print::List::Names => print::external_secrets(std::slice::from_ref(&overview), list, false, now),
                _ => print::line(&overview, now),
            };
            arguments.output.output().print(text, document)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
