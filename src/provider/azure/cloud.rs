//! The Azure clouds: which authority issues tokens, and which hosts may receive them.
//!
//! Tokens are sent only to hosts of a known cloud. The author of a store chooses its `customCloudConfig`, so in a
//! namespaced SecretStore that is accepted only with an identity of the namespace, or for hosts that the operator
//! lists. Listing a host does not let a SecretStore use the controller's own identity, which is a separate decision
//! (`identity`).

use url::Url;

use super::diagnose::{Cause, Diagnosis};
use super::options::{ActsAs, Options};
use crate::api::v1::secret_store::{
    AzureAuthType, AzureCustomCloudConfig, AzureEnvironmentType, AzureKvProvider, StoreKind,
};

/// The audience that Entra ID requires in a token that is to be exchanged.
const PUBLIC_AUDIENCE: &str = "api://AzureADTokenExchange";

/// A cloud, as far as Key Vault is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cloud {
    /// The authority that issues tokens: `https`, without a path.
    pub(super) authority: Url,
    /// The resource that tokens are requested for, without a trailing slash.
    pub(super) resource: String,
    /// Which hosts are vaults.
    pub(super) vaults: Vaults,
    /// The audiences to ask for in a service account's token.
    pub(super) audiences: Vec<&'static str>,
    /// Who chose these hosts.
    pub(super) hosts_of: HostsOf,
}

/// Who chose the hosts of a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostsOf {
    /// The operator or Azure.
    Operator,
    /// The author of a SecretStore, who may choose any number of them.
    Tenant,
}

/// Which hosts are vaults of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vaults {
    /// All with this suffix, which has no leading dot.
    Suffix(String),
    /// Only this host.
    Host(String),
}

struct Known {
    authority: &'static str,
    suffix: &'static str,
    /// The suffix of registries' hosts.
    registries: &'static str,
    /// Azure Resource Manager, whose tokens registries also accept.
    resource_manager: &'static str,
    audience: Option<&'static str>,
}

impl Cloud {
    /// The scope that tokens are requested for.
    pub(super) fn scope(&self) -> String {
        format!("{}/.default", self.resource)
    }

    /// The cloud of a store.
    pub(super) fn of_store(kind: StoreKind, store: &AzureKvProvider, options: &Options) -> Result<Self, Diagnosis> {
        let environment = store.environment_type;
        if let Some(custom) = &store.custom_cloud_config {
            let mut cloud = Self::custom(environment, custom, &store.vault_url)?;
            if kind == StoreKind::SecretStore {
                cloud.hosts_of = cloud.check_hosts(&store.vault_url, options)?;
            }
            return cloud.allowed(kind, store, options);
        }
        let known = known(environment)?.ok_or_else(|| {
            Diagnosis::of_field(
                Cause::StoreInvalid,
                "azurekv.environmentType",
                "AzureStackCloud needs azurekv.customCloudConfig",
            )
            .hint("set customCloudConfig.activeDirectoryEndpoint and customCloudConfig.keyVaultDNSSuffix")
        })?;
        let authority = match &options.environment.authority_host {
            // The variable is set by the operator and applies only to the process's own identity; a store that names a
            // sovereign cloud takes precedence.
            Some(host)
                if uses_identity_of_process(store, options) && environment == AzureEnvironmentType::PublicCloud =>
            {
                authority(host, "the environment variable AZURE_AUTHORITY_HOST")?
            }
            _ => authority(known.authority, "the cloud's authority")?,
        };
        Ok(Self {
            authority,
            resource: format!("https://{}", known.suffix),
            vaults: Vaults::Suffix(known.suffix.to_owned()),
            audiences: known.audiences(),
            hosts_of: HostsOf::Operator,
        })
    }

    fn custom(
        environment: AzureEnvironmentType,
        custom: &AzureCustomCloudConfig,
        vault_url: &str,
    ) -> Result<Self, Diagnosis> {
        const ENDPOINT: &str = "azurekv.customCloudConfig.activeDirectoryEndpoint";
        let base = known(environment)?;
        let vaults = match custom.key_vault_dns_suffix.as_deref().map(|suffix| suffix.trim_start_matches('.')) {
            Some(suffix) if is_host(suffix) => Vaults::Suffix(suffix.to_ascii_lowercase()),
            Some(suffix) if !suffix.is_empty() => {
                return Err(invalid(
                    "azurekv.customCloudConfig.keyVaultDNSSuffix",
                    suffix,
                    "give a DNS name such as vault.example.com",
                ));
            }
            _ => Vaults::Host(host_of(vault_url)?),
        };
        let resource = match (&custom.key_vault_endpoint, &base, &vaults) {
            (Some(endpoint), _, _) if !endpoint.is_empty() => endpoint.trim_end_matches('/').to_owned(),
            (_, Some(known), _) => format!("https://{}", known.suffix),
            (_, None, Vaults::Suffix(suffix)) => format!("https://{suffix}"),
            (_, None, Vaults::Host(host)) => {
                format!("https://{}", host.split_once('.').map_or(host.as_str(), |(_, rest)| rest))
            }
        };
        if !is_https(&resource) {
            return Err(invalid("azurekv.customCloudConfig.keyVaultEndpoint", &resource, "give an https URL"));
        }
        let audiences = base.map_or_else(|| vec![PUBLIC_AUDIENCE], |known| known.audiences());
        let authority = authority(&custom.active_directory_endpoint, ENDPOINT)?;
        Ok(Self { authority, resource, vaults, audiences, hosts_of: HostsOf::Operator })
    }

    /// Checks that a SecretStore names only public hosts. Otherwise its author could explore the controller's network
    /// by means of the conditions. Returns who chose the hosts.
    fn check_hosts(&self, vault_url: &str, options: &Options) -> Result<HostsOf, Diagnosis> {
        let vault = Url::parse(vault_url).ok().filter(Url::has_host);
        let hosts = [
            ("azurekv.customCloudConfig.activeDirectoryEndpoint", Some(&self.authority)),
            ("azurekv.vaultUrl", vault.as_ref()),
        ];
        let mut hosts_of = HostsOf::Operator;
        for (field, url) in hosts.into_iter().filter_map(|(field, url)| Some((field, url?))) {
            let is_listed = url.host_str().is_some_and(|host| is_listed(host, &options.extra_hosts));
            if !is_listed {
                hosts_of = HostsOf::Tenant;
            }
            if !is_listed && (url.port().is_some() || !url.domain().is_some_and(is_outside)) {
                let problem =
                    "must be https:// and a domain name of the world outside, without a port, in a SecretStore";
                return Err(Diagnosis::of_field(Cause::CustomCloudForbidden, field, problem).hint(
                    "give a URL such as https://login.example.com, or use a ClusterSecretStore, or have the operator list the host with --azure-extra-host",
                ));
            }
        }
        Ok(hosts_of)
    }

    /// Returns the cloud, if the store may send its identity's tokens there.
    fn allowed(self, kind: StoreKind, store: &AzureKvProvider, options: &Options) -> Result<Self, Diagnosis> {
        let (led, remedy) = match options.acts_as {
            // The author of the store, whichever its kind, is not the caller.
            ActsAs::Caller => (
                "your own identity",
                "read as the store, with --azure-identity=store, or list the host by --azure-extra-host",
            ),
            ActsAs::Store => match led_by_custom_cloud(kind, store) {
                None => return Ok(self),
                Some(led) => led,
            },
        };
        let vault = match &self.vaults {
            Vaults::Suffix(suffix) => format!(".{suffix}"),
            Vaults::Host(host) => host.clone(),
        };
        let authority = self.authority.host_str().unwrap_or_default().to_owned();
        match [authority, vault].into_iter().find(|host| !is_listed(host, &options.extra_hosts)) {
            None => Ok(self),
            Some(host) => Err(Diagnosis::of_field(
                Cause::CustomCloudForbidden,
                "azurekv.customCloudConfig",
                format!("of a {kind} may not lead {led} to {host}"),
            )
            .hint(remedy)),
        }
    }
}

/// What a store with `customCloudConfig` may send only to hosts that the operator lists, and the remedy; `None` if
/// everything that it sends belongs to those who may write the store.
fn led_by_custom_cloud(kind: StoreKind, store: &AzureKvProvider) -> Option<(&'static str, &'static str)> {
    match (store.auth_type, store.service_account_ref.as_ref()) {
        _ if kind == StoreKind::ClusterSecretStore => None,
        (AzureAuthType::ServicePrincipal, _) => None,
        (AzureAuthType::WorkloadIdentity, Some(account)) if account.audiences.iter().all(String::is_empty) => None,
        // Such a token may be usable beyond the exchange, even for the Kubernetes API, and the author of a store need
        // not have the right to create one.
        (AzureAuthType::WorkloadIdentity, Some(_)) => Some((
            "a token for the audiences of serviceAccountRef.audiences",
            "leave serviceAccountRef.audiences out, or use a ClusterSecretStore, or have the operator list the host with --azure-extra-host",
        )),
        (AzureAuthType::WorkloadIdentity, None) | (AzureAuthType::ManagedIdentity, _) => Some((
            "the controller's own identity",
            "use serviceAccountRef or authSecretRef of this namespace, or a ClusterSecretStore, or have the operator list the host with --azure-extra-host as well",
        )),
    }
}

/// A cloud, as far as container registries are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RegistryCloud {
    /// The authority that issues tokens: `https`, without a path.
    pub(super) authority: Url,
    /// The suffix of registries' hosts, without a leading dot; `None` if only listed hosts are known.
    pub(super) suffix: Option<&'static str>,
    /// The scope of tokens for registries themselves.
    pub(super) scope: &'static str,
    /// The scope of tokens for Azure Resource Manager, which most registries also accept.
    pub(super) resource_manager: String,
    /// The audiences to ask for in a service account's token.
    pub(super) audiences: Vec<&'static str>,
}

/// The scope of container registries, which is the same in all clouds.
const REGISTRY_SCOPE: &str = "https://containerregistry.azure.net/.default";

impl RegistryCloud {
    /// The cloud that a generator names in `field`. The variable `AZURE_AUTHORITY_HOST` applies only to the identity of
    /// the process.
    pub(super) fn of(
        environment: AzureEnvironmentType,
        field: &str,
        uses_identity_of_process: bool,
        options: &Options,
    ) -> Result<Self, Diagnosis> {
        let known = known_in(environment, field)?;
        let host = options.environment.authority_host.as_ref();
        let is_sovereign =
            matches!(environment, AzureEnvironmentType::USGovernmentCloud | AzureEnvironmentType::ChinaCloud);
        let host = host.filter(|_| uses_identity_of_process && !is_sovereign);
        let public = known_in(AzureEnvironmentType::PublicCloud, field)?;
        // Unlike a store, a generator cannot describe a custom cloud: the authority is the public one, as in ESO.
        let of_cloud = known.as_ref().or(public.as_ref());
        let (of_authority, resource_manager, audiences) =
            of_cloud.map(|known| (known.authority, known.resource_manager, known.audiences())).unwrap_or_default();
        let authority = match host {
            Some(host) => authority(host, "the environment variable AZURE_AUTHORITY_HOST")?,
            None => authority(of_authority, "the cloud's authority")?,
        };
        Ok(Self {
            authority,
            suffix: known.map(|known| known.registries),
            scope: REGISTRY_SCOPE,
            resource_manager: format!("{resource_manager}/.default"),
            audiences,
        })
    }
}

impl Vaults {
    /// Whether `host` is a vault of this cloud.
    pub(super) fn contain(&self, host: &str) -> bool {
        match self {
            Self::Host(only) => host == only,
            Self::Suffix(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|name| !name.is_empty()),
        }
    }
}

impl Known {
    /// The public audience, which ESO always asks for, and the cloud's own.
    fn audiences(&self) -> Vec<&'static str> {
        std::iter::once(PUBLIC_AUDIENCE).chain(self.audience).collect()
    }
}

/// The cloud with this name; `None` for one that `customCloudConfig` must describe.
fn known(environment: AzureEnvironmentType) -> Result<Option<Known>, Diagnosis> {
    known_in(environment, "azurekv.environmentType")
}

/// The same, named by another field.
fn known_in(environment: AzureEnvironmentType, field: &str) -> Result<Option<Known>, Diagnosis> {
    let known = match environment {
        AzureEnvironmentType::PublicCloud => Known {
            authority: "https://login.microsoftonline.com",
            suffix: "vault.azure.net",
            registries: "azurecr.io",
            resource_manager: "https://management.azure.com",
            audience: None,
        },
        AzureEnvironmentType::USGovernmentCloud => Known {
            authority: "https://login.microsoftonline.us",
            suffix: "vault.usgovcloudapi.net",
            registries: "azurecr.us",
            resource_manager: "https://management.usgovcloudapi.net",
            audience: Some("api://AzureADTokenExchangeUSGov"),
        },
        AzureEnvironmentType::ChinaCloud => Known {
            authority: "https://login.chinacloudapi.cn",
            suffix: "vault.azure.cn",
            registries: "azurecr.cn",
            resource_manager: "https://management.chinacloudapi.cn",
            audience: Some("api://AzureADTokenExchangeChina"),
        },
        AzureEnvironmentType::GermanCloud => {
            return Err(Diagnosis::of_field(
                Cause::StoreInvalid,
                field,
                "GermanCloud names a cloud that was closed in 2021",
            )
            .hint("use PublicCloud, which has German regions"));
        }
        AzureEnvironmentType::AzureStackCloud => return Ok(None),
    };
    Ok(Some(known))
}

/// Whether a store is read with the identity of the process: that of the controller's pod, or the caller's.
fn uses_identity_of_process(store: &AzureKvProvider, options: &Options) -> bool {
    options.acts_as == ActsAs::Caller
        || (store.auth_type == AzureAuthType::WorkloadIdentity && store.service_account_ref.is_none())
}

/// Parses an authority: `https`, a host and an optional port, nothing else.
fn authority(text: &str, field: &str) -> Result<Url, Diagnosis> {
    let url =
        Url::parse(text).map_err(|_| invalid(field, text, "give a URL such as https://login.microsoftonline.com"))?;
    let plain = url.scheme() == "https"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path().trim_matches('/').is_empty()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url) } else { Err(invalid(field, text, "give an https URL of a host alone, without a path")) }
}

fn host_of(vault_url: &str) -> Result<String, Diagnosis> {
    let url = Url::parse(vault_url).ok();
    url.as_ref()
        .and_then(Url::host_str)
        .map(ToOwned::to_owned)
        .ok_or_else(|| invalid("azurekv.vaultUrl", vault_url, "give a URL such as https://my-vault.vault.azure.net"))
}

/// Whether a domain is outside of this machine and the cluster, where Services have short names or names below `svc`
/// and `cluster.local`.
fn is_outside(domain: &str) -> bool {
    const INSIDE: [&str; 4] = ["localhost", "svc", "cluster.local", "internal"];
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let mut labels = domain.split('.');
    let is_within = |suffix: &str| domain.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    labels.nth(1).is_some() && !INSIDE.into_iter().any(is_within)
}

fn is_https(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Whether the operator listed `host` or a suffix of it. Suffixes start with a dot.
pub(super) fn is_listed(host: &str, listed: &[String]) -> bool {
    listed.iter().any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        host == entry || (entry.len() > 1 && entry.starts_with('.') && host.ends_with(&entry))
    })
}

fn invalid(field: &str, value: &str, remedy: &str) -> Diagnosis {
    let problem = format!("cannot be \"{}\"", super::diagnose::text::stable(value));
    Diagnosis::of_field(Cause::StoreInvalid, field, problem).hint(remedy)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::api::v1::secret_store::ServiceAccountSelector;

    fn store(environment: AzureEnvironmentType) -> AzureKvProvider {
        AzureKvProvider {
            auth_type: AzureAuthType::WorkloadIdentity,
            vault_url: "https://v.vault.example.com".to_owned(),
            environment_type: environment,
            ..AzureKvProvider::default()
        }
    }

    fn custom(store: AzureKvProvider) -> AzureKvProvider {
        AzureKvProvider {
            custom_cloud_config: Some(AzureCustomCloudConfig {
                active_directory_endpoint: "https://login.example.com/".to_owned(),
                key_vault_dns_suffix: Some(".vault.example.com".to_owned()),
                ..AzureCustomCloudConfig::default()
            }),
            ..store
        }
    }

    fn of(kind: StoreKind, store: &AzureKvProvider, options: &Options) -> Result<Cloud, Diagnosis> {
        Cloud::of_store(kind, store, options)
    }

    #[rstest]
    #[case(
        AzureEnvironmentType::PublicCloud,
        "https://login.microsoftonline.com/",
        "https://vault.azure.net/.default",
        1
    )]
    #[case(
        AzureEnvironmentType::USGovernmentCloud,
        "https://login.microsoftonline.us/",
        "https://vault.usgovcloudapi.net/.default",
        2
    )]
    #[case(AzureEnvironmentType::ChinaCloud, "https://login.chinacloudapi.cn/", "https://vault.azure.cn/.default", 2)]
    fn a_named_cloud_has_its_authority_scope_and_audiences(
        #[case] environment: AzureEnvironmentType,
        #[case] authority: &str,
        #[case] scope: &str,
        #[case] audiences: usize,
    ) {
        let cloud = of(StoreKind::SecretStore, &store(environment), &Options::default()).unwrap();
        assert_eq!(cloud.authority.as_str(), authority);
        assert_eq!(cloud.scope(), scope);
        assert_eq!(cloud.audiences.len(), audiences);
        assert_eq!(cloud.audiences[0], "api://AzureADTokenExchange");
    }

    #[rstest]
    #[case(AzureEnvironmentType::GermanCloud, "closed in 2021")]
    #[case(AzureEnvironmentType::AzureStackCloud, "customCloudConfig")]
    fn a_cloud_that_cannot_be_used_is_refused(#[case] environment: AzureEnvironmentType, #[case] words: &str) {
        let refused = of(StoreKind::SecretStore, &store(environment), &Options::default()).unwrap_err();
        assert!(refused.message.contains(words), "{refused:?}");
    }

    #[test]
    fn the_authority_of_the_environment_is_for_the_pods_own_identity_only() {
        let options = Options {
            environment: super::super::Environment {
                authority_host: Some("https://login.operator.example".to_owned()),
                ..Default::default()
            },
            ..Options::default()
        };
        let own = store(AzureEnvironmentType::PublicCloud);
        let account = AzureKvProvider { service_account_ref: Some(ServiceAccountSelector::default()), ..own.clone() };
        let sovereign = store(AzureEnvironmentType::ChinaCloud);
        let host =
            |store| of(StoreKind::SecretStore, store, &options).unwrap().authority.host_str().unwrap().to_owned();
        assert_eq!(host(&own), "login.operator.example");
        assert_eq!(host(&account), "login.microsoftonline.com");
        assert_eq!(host(&sovereign), "login.chinacloudapi.cn");
    }

    #[test]
    fn a_custom_cloud_counts_in_a_cluster_secret_store() {
        let cloud = of(
            StoreKind::ClusterSecretStore,
            &custom(store(AzureEnvironmentType::AzureStackCloud)),
            &Options::default(),
        )
        .unwrap();
        assert_eq!(cloud.authority.host_str(), Some("login.example.com"));
        assert_eq!(cloud.resource, "https://vault.example.com");
        assert!(cloud.vaults.contain("v.vault.example.com"));
    }

    #[rstest]
    #[case::pod(AzureAuthType::WorkloadIdentity, false, false)]
    #[case::account(AzureAuthType::WorkloadIdentity, true, true)]
    #[case::machine(AzureAuthType::ManagedIdentity, false, false)]
    #[case::secret(AzureAuthType::ServicePrincipal, false, true)]
    fn in_a_secret_store_a_custom_cloud_needs_an_identity_of_the_namespace(
        #[case] auth_type: AzureAuthType,
        #[case] account: bool,
        #[case] allowed: bool,
    ) {
        let store = AzureKvProvider {
            auth_type,
            service_account_ref: account.then(ServiceAccountSelector::default),
            ..custom(store(AzureEnvironmentType::PublicCloud))
        };
        let result = of(StoreKind::SecretStore, &store, &Options::default());
        assert_eq!(
            result.as_ref().map_err(|refused| refused.cause).err(),
            (!allowed).then_some(Cause::CustomCloudForbidden)
        );
    }

    #[test]
    fn in_a_secret_store_a_token_for_other_audiences_goes_to_no_custom_cloud_that_the_operator_does_not_list() {
        let account = ServiceAccountSelector {
            audiences: vec!["https://kubernetes.default.svc".to_owned()],
            ..Default::default()
        };
        let store =
            AzureKvProvider { service_account_ref: Some(account), ..custom(store(AzureEnvironmentType::PublicCloud)) };
        let refused = of(StoreKind::SecretStore, &store, &Options::default()).unwrap_err();
        assert_eq!(refused.cause, Cause::CustomCloudForbidden);
        assert!(refused.message.contains("serviceAccountRef.audiences"), "{refused:?}");
        assert!(of(StoreKind::ClusterSecretStore, &store, &Options::default()).is_ok());
        let extra_hosts = vec![".example.com".to_owned()];
        assert!(of(StoreKind::SecretStore, &store, &Options { extra_hosts, ..Options::default() }).is_ok());
    }

    #[rstest]
    #[case::both(&["login.example.com", ".vault.example.com"], true)]
    #[case::wider(&[".example.com"], true)]
    #[case::authority_alone(&["login.example.com"], false)]
    #[case::other(&["login.example.com", "vault.example.com.evil"], false)]
    #[case::dot(&["."], false)]
    fn an_operator_can_list_hosts_for_the_pods_identity(#[case] hosts: &[&str], #[case] allowed: bool) {
        let options = Options { extra_hosts: hosts.iter().map(ToString::to_string).collect(), ..Options::default() };
        let store = custom(store(AzureEnvironmentType::PublicCloud));
        assert_eq!(of(StoreKind::SecretStore, &store, &options).is_ok(), allowed);
    }

    #[rstest]
    #[case::port("https://login.example.com:8443", false)]
    #[case::address("https://10.0.0.1", false)]
    #[case::address_of_six("https://[::1]", false)]
    #[case::number("https://2130706433", false)]
    #[case::machine("https://localhost", false)]
    #[case::service("https://kubernetes.default.svc", false)]
    #[case::service_in_full("https://kubernetes.default.svc.cluster.local.", false)]
    #[case::usual_port("https://login.example.com:443", true)]
    fn an_authority_of_a_secret_store_is_a_domain_outside_without_a_port(#[case] endpoint: &str, #[case] taken: bool) {
        let account = ServiceAccountSelector { name: "a".to_owned(), ..Default::default() };
        let mut store =
            AzureKvProvider { service_account_ref: Some(account), ..custom(store(AzureEnvironmentType::PublicCloud)) };
        store.custom_cloud_config.as_mut().unwrap().active_directory_endpoint = endpoint.to_owned();
        let cloud = of(StoreKind::SecretStore, &store, &Options::default());
        assert_eq!(cloud.is_ok(), taken, "{cloud:?}");
        if let Err(refused) = cloud {
            assert!(
                refused.message.contains("activeDirectoryEndpoint must be https:// and a domain name"),
                "{refused:?}"
            );
        }
        assert!(of(StoreKind::ClusterSecretStore, &store, &Options::default()).is_ok());
        let host = Url::parse(endpoint).unwrap().host_str().unwrap().to_owned();
        let extra_hosts = vec![host];
        assert!(of(StoreKind::SecretStore, &store, &Options { extra_hosts, ..Options::default() }).is_ok());
    }

    #[test]
    fn a_vault_of_a_secret_store_is_not_a_service_of_the_cluster() {
        let account = ServiceAccountSelector { name: "a".to_owned(), ..Default::default() };
        let mut store =
            AzureKvProvider { service_account_ref: Some(account), ..custom(store(AzureEnvironmentType::PublicCloud)) };
        store.custom_cloud_config.as_mut().unwrap().key_vault_dns_suffix = None;
        store.vault_url = "https://kubernetes.default.svc".to_owned();
        let refused = of(StoreKind::SecretStore, &store, &Options::default()).unwrap_err();
        assert!(refused.message.starts_with("azurekv.vaultUrl must be"), "{refused:?}");
    }

    #[test]
    fn without_a_suffix_only_the_named_vault_is_one() {
        let mut store = custom(store(AzureEnvironmentType::AzureStackCloud));
        store.custom_cloud_config.as_mut().unwrap().key_vault_dns_suffix = None;
        let cloud = of(StoreKind::ClusterSecretStore, &store, &Options::default()).unwrap();
        assert!(cloud.vaults.contain("v.vault.example.com"));
        assert!(!cloud.vaults.contain("w.vault.example.com"));
        assert_eq!(cloud.resource, "https://vault.example.com");
    }

    #[rstest]
    #[case("http://login.example.com")]
    #[case("https://user@login.example.com")]
    #[case("https://login.example.com/adfs")]
    #[case("login.example.com")]
    #[case("")]
    fn an_authority_is_https_and_only_a_host(#[case] endpoint: &str) {
        let mut store = custom(store(AzureEnvironmentType::AzureStackCloud));
        store.custom_cloud_config.as_mut().unwrap().active_directory_endpoint = endpoint.to_owned();
        let refused = of(StoreKind::ClusterSecretStore, &store, &Options::default()).unwrap_err();
        assert!(refused.message.contains("activeDirectoryEndpoint"), "{refused:?}");
    }
}
