//! The Kubernetes client: from `KUBECONFIG` or from inside the cluster, with timeouts and the proxies of the
//! environment.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::client::ClientBuilder;
use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::timeout::TimeoutLayer;

use super::api_health::{ApiHealth, CountingLayer};
use super::leader_election::{GuardLayer, WriteGuard};
use crate::answers::{Kept, TextLayer};

/// Annotations of service accounts name identities. `managedFields` tell what was written for the owner of an object that a
/// ClusterExternalSecret or ClusterPushSecret made.
const TEXT: TextLayer = TextLayer::trimming(Kept {
    annotations: &["serviceaccounts"],
    managed_fields: &["externalsecrets", "pushsecrets"],
});

/// Why the client cannot be created.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum KubeClientError {
    /// There is neither a kubeconfig nor a service account.
    #[error("no Kubernetes configuration: set KUBECONFIG, or run in a pod with a service account: {}", inferred(.0))]
    Infer(#[from] InferConfigError),
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {}", problem(.0))]
    Kubeconfig(#[from] KubeconfigError),
    /// The proxy's address cannot be used.
    #[error("{variable}={value:?} is not a proxy URL; write it as http://host:port")]
    Proxy { variable: &'static str, value: String },
    /// TLS could not be set up.
    #[error("the Kubernetes client cannot be built: {0}")]
    Build(#[source] kube::Error),
}

/// Why no kubeconfig was found.
fn inferred(error: &InferConfigError) -> String {
    let kubeconfig = std::error::Error::source(error).and_then(|source| source.downcast_ref::<KubeconfigError>());
    kubeconfig.map_or_else(|| error.to_string(), problem)
}

/// Why a kubeconfig cannot be used, without any part of it: it may hold tokens.
fn problem(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => {
                format!("it is not YAML of a kubeconfig, at line {}, column {}", place.line(), place.column())
            }
            None => "it is not YAML of a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, path) => format!("{}: {error}", path.display()),
        error => error.to_string(),
    }
}

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct Connection {
    config: Config,
    counting: CountingLayer,
}

/// How to reach the cluster of `KUBECONFIG`, or else of the pod. Requests to it are counted.
///
/// # Errors
/// [`KubeClientError`], a sentence for the operator.
pub async fn from_environment(api_health: ApiHealth) -> Result<Connection, KubeClientError> {
    let config = prepared(Config::infer().await?)?;
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    Ok(Connection { config, counting: CountingLayer { api_health, host: Arc::from(host) } })
}

/// Which cluster a person wants to use, and as which user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Person<'a> {
    /// The kubeconfig; by default that of `KUBECONFIG`, or of the home folder.
    pub kubeconfig: Option<&'a Path>,
    /// The context; by default the current one.
    pub context: Option<&'a str>,
    /// The user to act as.
    pub user: Option<&'a str>,
    /// The groups to act as.
    pub groups: &'a [String],
    /// How long the answer to a request may take to begin; unbounded if not given.
    pub request_timeout: Option<Duration>,
}

/// A client as `kubectl` would create it: for the cluster of a kubeconfig (the given one, or else that of `KUBECONFIG`
/// or of the home folder) and of a context (the given one, or else the current one), or else of the pod.
///
/// # Errors
/// [`KubeClientError`], a sentence for the person who runs the program.
pub async fn of_person(person: Person<'_>) -> Result<(Client, Config), KubeClientError> {
    let Person { kubeconfig, context, user, groups, request_timeout } = person;
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config = match (kubeconfig, context) {
        (Some(path), _) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => Config::infer().await?,
    };
    if let Some(user) = user {
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.to_vec()).filter(|groups| !groups.is_empty());
    }
    let config = prepared(config)?;
    let builder = ClientBuilder::try_from(config.clone()).map_err(KubeClientError::Build)?;
    let client = match request_timeout {
        Some(timeout) => builder.with_layer(&TextLayer::default()).with_layer(&TimeoutLayer::new(timeout)).build(),
        None => builder.with_layer(&TextLayer::default()).build(),
    };
    Ok((client, config))
}

/// Adds timeouts, and the proxy of the environment.
fn prepared(mut config: Config) -> Result<Config, KubeClientError> {
    config.connect_timeout = Some(Duration::from_secs(5));
    config.write_timeout = Some(Duration::from_secs(30));
    // The controllers' own backoff applies instead; kube would retry up to 15 times and wait up to 1000 s.
    config.default_retry = false;
    if config.proxy_url.is_none() {
        config.proxy_url = proxy_for(&config.cluster_url)?;
    }
    Ok(config)
}

impl Connection {
    /// A client.
    ///
    /// # Errors
    /// [`KubeClientError::Build`]
    pub fn client(&self) -> Result<Client, KubeClientError> {
        let builder = ClientBuilder::try_from(self.config.clone()).map_err(KubeClientError::Build)?;
        Ok(builder.with_layer(&self.counting).with_layer(&TEXT).build())
    }

    /// A client whose writes have to pass a guard.
    ///
    /// # Errors
    /// [`KubeClientError::Build`]
    pub fn guarded(&self, guard: WriteGuard) -> Result<Client, KubeClientError> {
        let builder = ClientBuilder::try_from(self.config.clone()).map_err(KubeClientError::Build)?;
        // The guard comes first: a request that it stops was never sent.
        Ok(builder.with_layer(&self.counting).with_layer(&TEXT).with_layer(&GuardLayer(guard)).build())
    }

    /// The namespace of the pod, or of the kubeconfig.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.config.default_namespace
    }
}

/// The proxy for the API server. kube matches `NO_PROXY` against the wrong host or not at all, so that is done here.
fn proxy_for(cluster: &Uri) -> Result<Option<Uri>, KubeClientError> {
    let read = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()).map(|v| (name, v)))
    };
    let no_proxy = read(["NO_PROXY", "no_proxy"]).map(|(_, value)| value).unwrap_or_default();
    let Some((variable, value)) = read(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    if is_excluded(cluster, &no_proxy) {
        return Ok(None);
    }
    let with_scheme = if value.contains("://") { value.clone() } else { format!("http://{value}") };
    with_scheme.parse().map(Some).map_err(|_| KubeClientError::Proxy { variable, value })
}

/// Whether `NO_PROXY` excludes the host of a URL: by name, as a parent domain, as a network, or with `*`.
fn is_excluded(url: &Uri, no_proxy: &str) -> bool {
    // To hyper, `*` only means names, but inside a cluster the API server's address is a number.
    let all = no_proxy.split(',').any(|entry| entry.trim() == "*");
    all || Matcher::builder().all("http://any-proxy").no(no_proxy).build().intercept(url).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_cannot_be_read_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let told = || KubeClientError::from(Kubeconfig::read_from(&path).unwrap_err()).to_string();
        let missing = told();
        assert!(missing.contains(&format!("{}: No such file", path.display())), "{missing}");
        std::fs::write(&path, "users:\n- name: a\n  user: {token: canary").unwrap();
        let broken = told();
        assert!(broken.contains("not YAML of a kubeconfig, at line 3"), "{broken}");
        assert!(!broken.contains("canary"), "{broken}");
    }

    #[test]
    fn no_proxy_names_hosts_domains_and_networks() {
        for (host, no_proxy, excluded) in [
            ("127.0.0.1", "127.0.0.1,localhost", true),
            ("127.0.0.1", "127.0.0.0/8", true),
            ("10.0.0.1", "10.0.0.0/24, example.com", true),
            ("10.0.1.1", "10.0.0.0/24", false),
            ("[::1]", "::1", true),
            ("api.example.com", ".example.com", true),
            ("api.example.com", "example.com", true),
            ("notexample.com", "example.com", false),
            ("API.Example.com", "example.COM", true),
            ("API.Example.com", "*", true),
            ("10.0.0.1", "localhost, *", true),
            ("[2001:db8::1]", "2001:db8::/32", true),
            ("api.example.com", "", false),
            ("10.0.0.1", "10.0.0.0/bogus,10.0.0.0/99", false),
        ] {
            let url = format!("https://{host}:6443").parse().unwrap();
            assert_eq!(is_excluded(&url, no_proxy), excluded, "{host} in {no_proxy:?}");
        }
    }
}
