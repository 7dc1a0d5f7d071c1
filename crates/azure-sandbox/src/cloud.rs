//! The host names of Azure's clouds.

use std::sync::Arc;

/// One of Azure's clouds, or a private one (`AzureStackCloud`, `customCloudConfig`): the hosts of its Entra ID and its
/// Key Vaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Host of Entra ID, for example `login.microsoftonline.com`.
    pub login_host: String,
    /// Other hosts of the same Entra ID.
    pub login_aliases: Vec<String>,
    /// Host of the issuer in access tokens, for example `sts.windows.net`.
    pub sts_host: String,
    /// The part of a vault's host after its name, for example `vault.azure.net`.
    pub vault_suffix: String,
}

impl Cloud {
    /// Azure's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self::new("login.microsoftonline.com", "sts.windows.net", "vault.azure.net")
            .with_login_aliases(["login.windows.net", "login.microsoft.com"])
    }

    /// Azure US Government.
    #[must_use]
    pub fn us_government() -> Self {
        Self::new("login.microsoftonline.us", "sts.windows.net", "vault.usgovcloudapi.net")
    }

    /// Azure operated by 21Vianet in China.
    #[must_use]
    pub fn china() -> Self {
        Self::new("login.chinacloudapi.cn", "sts.chinacloudapi.cn", "vault.azure.cn")
            .with_login_aliases(["login.partner.microsoftonline.cn"])
    }

    /// A cloud with its own hosts.
    #[must_use]
    pub fn new(login_host: &str, sts_host: &str, vault_suffix: &str) -> Self {
        Self {
            login_host: login_host.to_owned(),
            login_aliases: Vec::new(),
            sts_host: sts_host.to_owned(),
            vault_suffix: vault_suffix.to_owned(),
        }
    }

    #[must_use]
    fn with_login_aliases<const N: usize>(mut self, aliases: [&str; N]) -> Self {
        self.login_aliases = aliases.map(str::to_owned).to_vec();
        self
    }

    /// The resource for tokens to this cloud's vaults, without a trailing slash.
    #[must_use]
    pub fn vault_resource(&self) -> String {
        format!("https://{}", self.vault_suffix)
    }

    /// Whether this is a host of its Entra ID.
    pub(crate) fn is_login_host(&self, host: &str) -> bool {
        self.login_host == host || self.login_aliases.iter().any(|alias| alias == host)
    }
}

/// The service at a host name.
#[derive(Clone, Debug)]
pub(crate) enum Site {
    /// Entra ID of a cloud.
    Entra(Arc<Cloud>),
    /// A vault, by its host.
    Vault {
        /// The vault's usual host in lower case, even if it was reached by the name of its private endpoint, which its
        /// certificate does not cover.
        host: String,
    },
    /// A container registry, by its host in lower case.
    Registry {
        /// The host.
        host: String,
    },
}

/// The suffixes of container registries' hosts in Microsoft's clouds.
const REGISTRY_SUFFIXES: [&str; 3] = [".azurecr.io", ".azurecr.us", ".azurecr.cn"];

/// The clouds that a sandbox emulates.
#[derive(Clone, Debug)]
pub(crate) struct Clouds {
    public: Arc<Cloud>,
    others: Vec<Arc<Cloud>>,
}

impl Clouds {
    /// Microsoft's clouds, and others.
    pub(crate) fn with(others: Vec<Cloud>) -> Self {
        let known = [Cloud::us_government(), Cloud::china()];
        Self { public: Arc::new(Cloud::public()), others: known.into_iter().chain(others).map(Arc::new).collect() }
    }

    /// Azure's public cloud.
    pub(crate) const fn public(&self) -> &Arc<Cloud> {
        &self.public
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Cloud>> {
        std::iter::once(&self.public).chain(&self.others)
    }

    /// The service at a host name; `None` for a host that is not part of Azure.
    pub(crate) fn site(&self, host: &str) -> Option<Site> {
        let host = host.to_ascii_lowercase();
        if let Some(cloud) = self.all().find(|cloud| cloud.is_login_host(&host)) {
            return Some(Site::Entra(Arc::clone(cloud)));
        }
        if let Some(name) = host.strip_suffix(".privatelink.vaultcore.azure.net") {
            return Some(Site::Vault { host: format!("{name}.vault.azure.net") });
        }
        if Self::is_registry(&host) {
            return Some(Site::Registry { host });
        }
        self.of_vault(&host).map(|_| Site::Vault { host })
    }

    /// Whether a host, in lower case, can be a container registry's.
    pub(crate) fn is_registry(host: &str) -> bool {
        REGISTRY_SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|name| !name.is_empty()))
    }

    /// The cloud of a vault's host.
    pub(crate) fn of_vault(&self, host: &str) -> Option<&Arc<Cloud>> {
        self.all().find(|cloud| {
            host.strip_suffix(cloud.vault_suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|name| !name.is_empty() && !name.contains('.'))
        })
    }

    /// The cloud whose Entra ID has this host, if any.
    pub(crate) fn of_login_host(&self, host: &str) -> Option<&Arc<Cloud>> {
        self.all().find(|cloud| cloud.is_login_host(host))
    }

    /// Whether tokens can be requested for this resource, given without a trailing slash.
    pub(crate) fn is_known_resource(&self, resource: &str) -> bool {
        const OTHERS: [&str; 7] = [
            "https://management.azure.com",
            "https://management.core.windows.net",
            "https://management.usgovcloudapi.net",
            "https://management.chinacloudapi.cn",
            "https://containerregistry.azure.net",
            "https://graph.microsoft.com",
            "api://AzureADTokenExchange",
        ];
        OTHERS.contains(&resource) || self.all().any(|cloud| cloud.vault_resource() == resource)
    }
}
