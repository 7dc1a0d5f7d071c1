//! Control over HTTP, for people and scripts: requests to the proxy's own port that are not meant for Azure.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /environment` | returns the variables that direct a client here, as lines for a shell: `eval "$(curl -s $URL/environment)"` |
//! | `GET /ca.pem` | returns the certificate that clients must trust |
//! | `GET /counters` | returns the counters of all tenants, applications and vaults |
//! | `POST /apply` | creates or changes everything that a [`Document`] names |
//! | `PUT /issuers` | sets the keys with which an identity provider signs: an [`IssuerDocument`] |
//! | `PUT /tenants/T/applications/A` | creates an application or changes its credentials: an [`ApplicationDocument`]; returns its object ID |
//! | `GET /tenants/T/applications/A/counters` | returns an application's counters; `DELETE` resets them |
//! | `POST /tenants/T/faults`, `POST /tenants/T/applications/A/faults` | starts a fault: a [`FaultDocument`]; returns its ID |
//! | `POST /entra/faults` | starts a fault of connections to Entra ID |
//! | `PUT /machine` | sets the machine's managed identities: a [`MachineDocument`] |
//! | `POST /machine/faults` | starts a fault of the metadata service |
//! | `PUT /vaults/V` | creates or changes a vault: a [`VaultDocument`] |
//! | `PUT /vaults/V` with `{"limit": N}` | serves N requests in any ten seconds and refuses others with 429 and `Retry-After: 2`; refusals do not count. `{"served": N, "retryAfter": null}` omits the header, 0 removes the limit; `{"limits": {"keys": N}}` is for one kind of object |
//! | `PUT /vaults/V/secrets/S` | writes a secret, `{"value": "..."}` or with `contentType`, `tags`, `attributes`; returns the version |
//! | `PUT /vaults/V/keys/K` | creates a key, `{}` or `{"kty": "EC", "crv": "P-384"}`, or imports one, `{"jwk": {...}}`: a [`KeyDocument`]; returns the version |
//! | `PUT /vaults/V/certificates/C` | creates a certificate, `{}` or `{"subject": "CN=..."}`, or imports one, `{"value": PEM or PFX}`: a [`CertificateDocument`]; returns the version |
//! | `PATCH /vaults/V/secrets/S` | changes `contentType`, `tags` or `attributes` of the current version |
//! | `PATCH /vaults/V/keys/K`, `.../certificates/C` | changes `tags` or `attributes` of the current version |
//! | `DELETE /vaults/V/secrets/S`, `.../keys/K`, `.../certificates/C` | soft-deletes an object |
//! | `POST /vaults/V/secrets/S/recover`, `/purge`, likewise for keys and certificates | recovers a deleted object, or purges it |
//! | `GET /vaults/V/counters` | returns a vault's counters; `DELETE` resets them |
//! | `POST /vaults/V/faults` | starts a fault; returns its ID |
//! | `DELETE .../faults`, `DELETE .../faults/ID` | ends all faults at that place, or one |
//!
//! `T` is a tenant's ID or `default`, `A` a client ID, `V` a vault's name in the public cloud or its host. What a path
//! names is created if it does not exist. A response other than 2xx explains itself in `error`.
//!
//! ```sh
//! curl -X PUT $URL/vaults/team-a-kv/secrets/db-password -d '{"value":"two"}'
//! curl -X PUT $URL/vaults/team-a-kv/certificates/www -d '{"subject":"CN=www.example.com"}'
//! curl -X POST $URL/vaults/team-a-kv/faults -d '{"fault":"throttle","retryAfter":5,"times":3}'
//! curl -s $URL/vaults/team-a-kv/counters
//! ```

mod documents;
mod objects;
mod routes;
mod vaults;

use std::path::PathBuf;
use std::sync::Arc;

use super::state::State;

pub use documents::{
    ApplicationDocument, ClientSecretDocument, Document, FaultDocument, FaultKind, FederatedDocument, IssuerDocument,
    MachineDocument,
};
pub use objects::{CertificateDocument, FullSecretDocument, KeyDocument, SecretDocument};
pub(crate) use routes::router;
pub use vaults::{LimitDocument, LimitsDocument, NetworkDocument, PolicyDocument, RoleDocument, VaultDocument};

/// What the control API works with.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) state: Arc<State>,
    pub(crate) proxy_url: String,
    pub(crate) ca_bundle: PathBuf,
}

impl Control {
    /// The variables that direct a client to this sandbox.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let bundle = self.ca_bundle.display().to_string();
        [
            ("HTTPS_PROXY", self.proxy_url.clone()),
            ("NO_PROXY", "127.0.0.1,localhost,::1".to_owned()),
            ("SSL_CERT_FILE", bundle.clone()),
            ("REQUESTS_CA_BUNDLE", bundle),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
