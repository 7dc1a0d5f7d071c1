//! Control over HTTP, for people and scripts: requests to the proxy's own port that are not for Azure.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /environment` | the variables that lead a client here, as lines for a shell: `eval "$(curl -s $URL/environment)"` |
//! | `GET /ca.pem` | the certificate that clients must trust |
//! | `GET /counters` | the counters of all tenants, applications and vaults |
//! | `POST /apply` | makes or changes all that a [`Document`] names |
//! | `PUT /issuers` | says with what keys an identity provider signs: an [`IssuerDocument`] |
//! | `PUT /tenants/T/applications/A` | makes an application or changes its credentials: an [`ApplicationDocument`]; answers its object id |
//! | `GET /tenants/T/applications/A/counters` | an application's counters; `DELETE` sets them to zero |
//! | `POST /tenants/T/faults`, `POST /tenants/T/applications/A/faults` | starts a fault: a [`FaultDocument`]; answers its id |
//! | `POST /entra/faults` | starts a fault of the connections to Entra ID |
//! | `PUT /machine` | says what managed identities the machine has: a [`MachineDocument`] |
//! | `POST /machine/faults` | starts a fault of the metadata service |
//! | `PUT /vaults/V` | makes a vault or changes it: a [`VaultDocument`] |
//! | `PUT /vaults/V` with `{"limit": N}` | serves N requests in any ten seconds and refuses the others with 429 and `Retry-After: 2`; refusals do not count. `{"served": N, "retryAfter": null}` leaves the header out, 0 lifts the limit; `{"limits": {"keys": N}}` is for one kind of object |
//! | `PUT /vaults/V/secrets/S` | writes a secret, `{"value": "..."}` or with `contentType`, `tags`, `attributes`; answers the version |
//! | `PUT /vaults/V/keys/K` | makes a key, `{}` or `{"kty": "EC", "crv": "P-384"}`, or brings one, `{"jwk": {...}}`: a [`KeyDocument`]; answers the version |
//! | `PUT /vaults/V/certificates/C` | makes a certificate, `{}` or `{"subject": "CN=..."}`, or brings one, `{"value": PEM or PFX}`: a [`CertificateDocument`]; answers the version |
//! | `PATCH /vaults/V/secrets/S` | changes `contentType`, `tags` or `attributes` of the current version |
//! | `PATCH /vaults/V/keys/K`, `.../certificates/C` | changes `tags` or `attributes` of the current version |
//! | `DELETE /vaults/V/secrets/S`, `.../keys/K`, `.../certificates/C` | deletes an object softly |
//! | `POST /vaults/V/secrets/S/recover`, `/purge`, and so for keys and certificates | takes a deleted object back, or removes it for good |
//! | `GET /vaults/V/counters` | a vault's counters; `DELETE` sets them to zero |
//! | `POST /vaults/V/faults` | starts a fault; answers its id |
//! | `DELETE .../faults`, `DELETE .../faults/ID` | ends all faults there, or one |
//!
//! `T` is a tenant's id or `default`, `A` a client id, `V` a vault's name in the public cloud or its host.
//! What a path names is made where there is none yet. An answer that is not 2xx says why in `error`.
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

/// What the control API needs to know.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) state: Arc<State>,
    pub(crate) proxy_url: String,
    pub(crate) ca_bundle: PathBuf,
}

impl Control {
    /// The variables that lead a client to this sandbox.
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
