//! The emulator of Entra ID.

pub(crate) mod assertion;
pub(crate) mod certificate;
pub(crate) mod directory;
mod discovery;
pub(crate) mod errors;
pub(crate) mod imds;
pub(crate) mod issuer;
pub(crate) mod signer;
mod token;

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::cloud::Cloud;
use super::ids;
use super::message::{Answer, Connection, empty, header, json, read_body};
use super::state::State;

use directory::TenantState;
use errors::EntraError;

/// Answers a request to a cloud's Entra ID.
pub(crate) async fn answer(
    state: &State,
    cloud: &Arc<Cloud>,
    request: Request<Incoming>,
    connection: &Connection,
) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["common", "discovery", "instance"]) => Ok(discovery::instance(cloud, request.uri().query())),
        (&Method::GET, [name, "v2.0", ".well-known", "openid-configuration"]) => Ok(match tenant(state, cloud, name) {
            Ok(tenant) => json(StatusCode::OK, &discovery::openid_configuration(cloud, &tenant.id)),
            Err(refusal) => refusal.response(state.clock.now(), None),
        }),
        (&Method::GET, [_, "discovery", "v2.0", "keys"]) => Ok(json(StatusCode::OK, state.signer.key_set())),
        (&Method::POST, [name, "oauth2", "v2.0", "token"]) => {
            let correlation_id = header(&request, "client-request-id").map(str::to_owned);
            match tenant(state, cloud, name) {
                Ok(tenant) => {
                    let Some(form) = read_body(request).await else { return Err(connection.cut()) };
                    token::exchange(state, &tenant, &form, correlation_id.as_deref(), connection).await
                }
                Err(refusal) => Ok(refusal.response(state.clock.now(), correlation_id.as_deref())),
            }
        }
        _ => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

/// The tenant in a path.
fn tenant(state: &State, cloud: &Arc<Cloud>, name: &str) -> Result<Arc<TenantState>, EntraError> {
    if !ids::is_guid(name) && !name.contains('.') {
        return Err(EntraError::tenant_malformed(name));
    }
    state.find_tenant(cloud, name).ok_or_else(|| EntraError::tenant_not_found(name))
}
