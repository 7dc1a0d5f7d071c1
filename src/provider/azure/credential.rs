//! From an [`Identity`] to an access token: one exchange.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential};
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::certificate::{ClientCertificate, LARGEST, Unusable};
use super::cloud::HostsOf;
use super::cluster::Cluster;
use super::connections::{Connections, Destination};
use super::diagnose::entra::{self, Presented};
use super::diagnose::{Cause, Diagnosis, text};
use super::http::Clients;
use super::identity::{CredentialKey, Identity, Proof, UserAssigned};
use super::options::Options;
use super::transport::{Peer, Pinned};
use super::{assertion, caller};
use crate::provider::SecretValue;
use crate::provider::shares::{Share, Shares};
use crate::runtime::fair::Executor;

/// The machine's identity endpoint, the same on every Azure machine:
/// <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>.
const MACHINE_ENDPOINT: &str = "http://169.254.169.254/";

/// What a token is requested for: exchanges with equal purposes yield equivalent tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Purpose {
    /// The caller.
    pub(super) identity: Identity,
    /// The authority to ask.
    pub(super) authority: Url,
    /// Who chose the authority.
    pub(super) hosts_of: HostsOf,
    /// The scope.
    pub(super) scope: String,
}

/// Exchanges the proof of an identity for an access token. The proof is read again for each exchange.
pub(super) struct Exchange {
    pub(super) purpose: Purpose,
    pub(super) clients: Arc<Clients>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) options: Arc<Options>,
    pub(super) connections: Arc<Connections>,
    /// Where certificates are opened.
    pub(super) workbench: Arc<Workbench>,
    /// What is wrong with the client certificate in the Secret version of this identity. The certificate is not opened
    /// again only to find the same.
    pub(super) unusable: OnceLock<Diagnosis>,
}

impl Exchange {
    /// One exchange.
    ///
    /// # Errors
    /// If the proof cannot be read, or the authority issues no token.
    pub(super) async fn token(&self) -> Result<AccessToken, Diagnosis> {
        let token = match &self.purpose.identity {
            Identity::Application { client_id, tenant_id, proof } => {
                self.application(client_id, tenant_id, proof).await?
            }
            Identity::Machine { user_assigned } => self.machine(user_assigned.as_ref()).await?,
            Identity::LoggedIn { tenant_id } => caller::token(tenant_id.as_deref(), &self.purpose.scope).await?,
        };
        if token.token.secret().is_empty() {
            return Err(Diagnosis::new(
                Cause::UnexpectedAnswer,
                format!("{} returned an empty token", self.purpose.authority_host()),
            ));
        }
        Ok(token)
    }

    async fn application(&self, client_id: &str, tenant_id: &str, proof: &Proof) -> Result<AccessToken, Diagnosis> {
        let mut presented = Presented {
            client_id: client_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            authority: self.purpose.authority_host(),
            assertion: None,
        };
        let credential = match proof {
            Proof::TokenFile(file) => self.assertion(token_in(file).await?, &mut presented)?,
            Proof::ServiceAccount { namespace, name, audiences, .. } => {
                let token = self.cluster.token(namespace, name, audiences).await?;
                self.assertion(token, &mut presented)?
            }
            Proof::ClientSecret(key) => self.client_secret(&presented, self.client_secret_in(key).await?)?,
            Proof::ClientCertificate(key) => self.client_certificate(key, &presented).await?,
            Proof::EnvironmentSecret => {
                let secret = self.options.environment.client_secret.as_ref().map(SecretString::expose_secret);
                self.client_secret(&presented, without_line_end(secret.unwrap_or_default()).to_owned())?
            }
            Proof::CertificateFile(file) => self.certificate_file(file, &presented).await?,
        };
        let host = self.purpose.authority.host_str().unwrap_or_default();
        let to = Destination { host, hosts_of: self.purpose.hosts_of };
        let connection = self.connections.take(proof.namespace(), to).await?;
        let result = connection.carry(credential.get_token(&[self.purpose.scope.as_str()], None)).await;
        result.map_err(|error| with_hint(Diagnosis::from_sdk(&error), &presented))
    }

    /// The client secret in a key of a Secret.
    async fn client_secret_in(&self, key: &CredentialKey) -> Result<String, Diagnosis> {
        let value = self.cluster.credential(&key.namespace, &key.name, &key.key).await?.value;
        let secret = std::str::from_utf8(value.expose_secret()).map(without_line_end).unwrap_or_default();
        if secret.is_empty() {
            let problem = format!("{key}, named by {}, holds no text", key.field);
            return Err(Diagnosis::new(Cause::IdentityIncomplete, problem).hint("put the client secret's value there"));
        }
        Ok(secret.to_owned())
    }

    /// Signs with the certificate in a key of a Secret. One that cannot be used is opened once per version of the Secret.
    async fn client_certificate(
        &self,
        key: &CredentialKey,
        presented: &Presented,
    ) -> Result<Arc<dyn TokenCredential>, Diagnosis> {
        if let Some(known) = self.unusable.get() {
            return Err(known.clone());
        }
        let place = self.workbench.place(&key.namespace).await?;
        let content = self.cluster.credential(&key.namespace, &key.name, &key.key).await?;
        let what = format!("{key}, named by {},", key.field);
        let assertion = self.signed(place, content.value, what, presented).await;
        if let Err(unusable) = &assertion
            && unusable.cause == Cause::ClientCertificateUnusable
            && key.version == [content.uid, content.resource_version]
        {
            self.unusable.get_or_init(|| unusable.clone());
        }
        self.assertion_credential(assertion?, presented)
    }

    /// Signs with the certificate in a file.
    async fn certificate_file(
        &self,
        file: &Path,
        presented: &Presented,
    ) -> Result<Arc<dyn TokenCredential>, Diagnosis> {
        let content = tokio::fs::read(file).await.map_err(|error| {
            let kind = error.kind();
            let problem = format!("the file that AZURE_CLIENT_CERTIFICATE_PATH names could not be read: {kind}");
            Diagnosis::new(Cause::TokenFileUnreadable, problem)
                .hint("name a file with a certificate and its key, in PEM or PFX")
        })?;
        let what = "the file that AZURE_CLIENT_CERTIFICATE_PATH names".to_owned();
        let place = self.workbench.place("").await?;
        let assertion = self.signed(place, Arc::new(content.into()), what, presented).await?;
        self.assertion_credential(assertion, presented)
    }

    fn assertion(&self, token: SecretString, presented: &mut Presented) -> Result<Arc<dyn TokenCredential>, Diagnosis> {
        presented.assertion = assertion::claims(token.expose_secret());
        self.assertion_credential(token, presented)
    }

    fn assertion_credential(
        &self,
        assertion: SecretString,
        presented: &Presented,
    ) -> Result<Arc<dyn TokenCredential>, Diagnosis> {
        let options = ClientAssertionCredentialOptions { client_options: self.authority_options() };
        let Presented { client_id, tenant_id, .. } = presented.clone();
        let credential = ClientAssertionCredential::new(tenant_id, client_id, Assertion(assertion), Some(options));
        Ok(credential.map_err(|error| Diagnosis::from_sdk(&error))?)
    }

    /// An assertion signed with the key of a client certificate.
    async fn signed(
        &self,
        place: Share,
        content: SecretValue,
        what: String,
        presented: &Presented,
    ) -> Result<SecretString, Diagnosis> {
        let Presented { client_id, tenant_id, .. } = presented.clone();
        let authority = self.purpose.authority.as_str().trim_end_matches('/');
        let audience = format!("{authority}/{tenant_id}/oauth2/v2.0/token");
        let unusable =
            |why: Unusable| Diagnosis::new(Cause::ClientCertificateUnusable, format!("{what} {why}")).hint(why.hint());
        // The content is not held while waiting for a turn.
        if content.expose_secret().len() > LARGEST {
            return Err(unusable(Unusable::NotACertificate));
        }
        let sign = move || {
            let now = Timestamp::now();
            ClientCertificate::read(content.expose_secret(), now)?.assertion(&client_id, &audience, now, rand::random())
        };
        let signed = self.workbench.work(place, sign).await?;
        signed.map_err(unusable)
    }

    fn client_secret(&self, presented: &Presented, secret: String) -> Result<Arc<dyn TokenCredential>, Diagnosis> {
        let options = ClientSecretCredentialOptions { client_options: self.authority_options() };
        let Presented { client_id, tenant_id, .. } = presented.clone();
        let credential = ClientSecretCredential::new(&tenant_id, client_id, Secret::new(secret), Some(options));
        Ok(credential.map_err(|error| Diagnosis::from_sdk(&error))?)
    }

    async fn machine(&self, user_assigned: Option<&UserAssigned>) -> Result<AccessToken, Diagnosis> {
        let endpoint = Url::parse(MACHINE_ENDPOINT)
            .map_err(|error| Diagnosis::new(Cause::UnexpectedAnswer, text::stable(&error.to_string())))?;
        let transport = Pinned::to(&endpoint, Peer::Machine, Arc::clone(&self.clients.machine));
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: user_assigned.cloned().map(|id| match id {
                UserAssigned::ClientId(id) => UserAssignedId::ClientId(id),
                UserAssigned::ResourceId(id) => UserAssignedId::ResourceId(id),
            }),
            client_options: transport.into_client_options(),
        };
        let credential = ManagedIdentityCredential::new(Some(options)).map_err(|error| Diagnosis::from_sdk(&error))?;
        let result = credential.get_token(&[self.purpose.scope.as_str()], None).await;
        result.map_err(|error| Diagnosis::from_sdk(&error))
    }

    fn authority_options(&self) -> ClientOptions {
        let client = self.clients.to(self.purpose.hosts_of);
        let transport = Pinned::to(&self.purpose.authority, Peer::Authority, Arc::clone(client));
        let mut cloud = CustomConfiguration::default();
        self.purpose.authority.as_str().trim_end_matches('/').clone_into(&mut cloud.authority_host);
        ClientOptions { cloud: Some(Arc::new(CloudConfiguration::from(cloud))), ..transport.into_client_options() }
    }
}

/// Opens certificates and signs with them. A PFX may demand a lot of computing, and so may a long key, so this runs in
/// the namespace's lane, like everything that a tenant computes, and not on the threads that serve the network.
pub(super) struct Workbench {
    places: Arc<Shares>,
    lanes: OnceLock<Executor>,
}

/// The most certificates held at once, each of at most 64 KiB and at most half of them for one namespace.
const PLACES: usize = 64;

/// How long a caller waits for a slot.
const PATIENCE: Duration = Duration::from_secs(10);

impl Workbench {
    pub(super) fn new() -> Self {
        Self { places: Shares::new(PLACES), lanes: OnceLock::new() }
    }

    /// A place for a certificate, to be taken before it is read.
    async fn place(&self, namespace: &str) -> Result<Share, Diagnosis> {
        let place = self.places.take_within(&namespace.into(), 1, PATIENCE).await;
        place.ok_or_else(|| {
            Diagnosis::new(Cause::Aborted, "too many certificates are opened at once; the controller retries")
        })
    }

    /// Does the work where it only delays the namespace itself.
    async fn work<T: Send + 'static>(
        &self,
        place: Share,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Diagnosis> {
        let lanes = self.lanes.get_or_init(Executor::start);
        let namespace = Arc::clone(place.namespace());
        let done = lanes.spawn(&namespace, async move {
            let _place = place;
            work()
        });
        done.await.map_err(|_| Diagnosis::new(Cause::Aborted, "the signing was given up"))
    }
}

/// The service account token in a file that Kubernetes keeps up to date.
async fn token_in(file: &Path) -> Result<SecretString, Diagnosis> {
    let token = tokio::fs::read_to_string(file).await.map_err(|error| {
        let kind = error.kind();
        let problem = format!("the file that AZURE_FEDERATED_TOKEN_FILE names could not be read: {kind}");
        Diagnosis::new(Cause::TokenFileUnreadable, problem).hint("restart the pod, so that the token is mounted again")
    })?;
    let token = Zeroizing::new(token);
    Ok(SecretString::from(token.trim()))
}

/// A text without the line break that `echo` adds. No client secret ends in one.
fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

impl Purpose {
    fn authority_host(&self) -> String {
        match self.identity {
            Identity::Application { .. } => self.authority.host_str().unwrap_or_default().to_owned(),
            Identity::Machine { .. } => "the machine's identity endpoint".to_owned(),
            Identity::LoggedIn { .. } => "the tool".to_owned(),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Adds the remedy, which depends on what was presented.
fn with_hint(diagnosis: Diagnosis, presented: &Presented) -> Diagnosis {
    match diagnosis.cause {
        Cause::EntraRefused(code) => match entra::hint(code, presented) {
            Some(hint) => diagnosis.hint(hint),
            None => diagnosis,
        },
        _ => diagnosis,
    }
}

/// The token that is presented in one exchange. `Debug` prints nothing of it.
#[derive(Debug)]
struct Assertion(SecretString);

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose_secret().to_owned())
    }
}
